"""Compare the default size of a language model with others, on the reference text that comes with Python.

    python benchmarks/texts.py
    python benchmarks/texts.py --characters 100000

Prints the loss per character of the last tenth of the text, in nats, and the CPU seconds of a fit, for the sizes 64, "auto"
and 384; and a text that the default model writes.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from pydoc_data.topics import topics

from _measure import machine, threads

from seqpipe import LanguageModel

SIZES = (64, "auto", 384)


def reference(n_characters: int | None = None) -> tuple[str, str]:
    """Return the beginning of Python's language reference and its last tenth."""
    text = "\n".join(topics.values())[:n_characters]
    cut = len(text) * 9 // 10
    return text[:cut], text[cut:]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", type=int, help="length of the text, all of it by default")
    parser.add_argument("--epochs", type=int, help="number of epochs, the default of the model by default")
    options = parser.parse_args(arguments)
    train, test = reference(options.characters)
    print(f"{machine()}; {len(train)} characters\n\n| hidden_size | units | nats per character | CPU seconds |")
    print("|---|---|---|---|")
    more = {} if options.epochs is None else {"max_epochs": options.epochs}
    with warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore")
        for size in SIZES:
            begin = time.process_time()
            model = LanguageModel(hidden_size=size, random_state=0, device="cpu", **more).fit(train)
            seconds = time.process_time() - begin
            units = model.net_.recurrents[0].output_size
            print(f"| {size} | {units} | {-model.score(test):.3f} | {seconds:.0f} |", flush=True)
            if size == "auto":
                written = model.generate("The ", length=300, temperature=0.5, random_state=0)[0]
    print(f"\n{written}")


if __name__ == "__main__":
    main()
