"""The comparison of cells on formal languages: its data, sizes and tables, in runs that say nothing."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _formal_samples import LANGUAGES, N_COPIED, as_then_bs, language, selective_copying

for plugin in ("linear", "xlstm", "delta"):
    pytest.importorskip(f"seqpipe_{plugin}")
contenders: Any = pytest.importorskip("_contenders")
formal_languages: Any = pytest.importorskip("formal_languages")


def test_a_quick_run_prints_three_tables(capsys: pytest.CaptureFixture[str]) -> None:
    formal_languages.main(["--quick", "--only", "gru,min_gru"])
    printed = capsys.readouterr().out
    assert re.findall(r"^\| (\w+) \|", printed, flags=re.MULTILINE) == ["cell", "gru", "min_gru"] * 3
    assert re.findall(r"^### (.+)$", printed, flags=re.MULTILINE) == [table.title for table in formal_languages.TABLES]


def test_the_tables_are_written_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "formal-languages.md"
    before, _, rest = formal_languages.PAGE.read_text(encoding="utf-8").partition("<!-- scores")
    page.write_text(f"{before}<!-- scores{rest}", encoding="utf-8")
    monkeypatch.setattr(formal_languages, "PAGE", page)
    monkeypatch.setattr(formal_languages, "TABLES", formal_languages.TABLES[:1])
    formal_languages.main(["--quick", "--write", "--only", "gru"])
    written = page.read_text(encoding="utf-8")
    assert written.startswith(before)
    assert written.endswith(rest.partition("<!-- end of scores -->")[2])
    assert re.findall(r"^\| (\w+) \| \d", written.partition("<!-- end of")[0], flags=re.MULTILINE) == ["gru"]


def test_an_unknown_cell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        formal_languages.main(["--only", "gruu"])
    assert "--only got gruu. Choose from" in capsys.readouterr().err


@pytest.mark.parametrize("table", formal_languages.TABLES, ids=lambda table: table.title)
def test_all_cells_have_about_as_many_parameters(table: Any) -> None:
    layers = (table.n_outputs, table.num_layers)
    sizes = {c.name: c.n_parameters(c.hidden_size(table.n_parameters, *layers), *layers) for c in contenders.CONTENDERS}
    assert {name: n for name, n in sizes.items() if abs(n / table.n_parameters - 1) > 0.1} == {}


@pytest.mark.parametrize("name", LANGUAGES)
def test_labels_follow_the_language_and_test_sequences_are_longer(name: str) -> None:
    data = language(name, 0, 20, 5)
    assert max(map(len, data.X_train)) <= 40 < min(map(len, data.X_test))
    state = 0
    for symbol, label in zip(data.X_test[0], data.y_test[0], strict=True):
        if name == "flip-flop":
            state = symbol if symbol < 2 else state
        else:
            state = (state + symbol) % (2 if name == "parity" else 3)
        assert label == state


def test_the_symbols_to_copy_are_those_among_the_blanks() -> None:
    data = selective_copying(0, 6, 4)
    X, y = np.concatenate([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])
    for x, labels in zip(X, y, strict=True):
        seen = x[:-N_COPIED]
        assert seen[seen > 0].tolist() == labels[-N_COPIED:].tolist()
        assert set(x[-N_COPIED:]) == {9}


def test_strings_have_as_many_bs_as_as() -> None:
    assert as_then_bs(3) == ["ab", "aabb", "aaabbb"]


def test_twice_the_rate_reflects_the_state() -> None:
    torch.manual_seed(0)
    cell = contenders.NegativeDeltaNet(contenders.EMBEDDING, 8, num_heads=2).double()
    with torch.no_grad():
        cell.W_beta.bias.fill_(50.0)  # β = 2
        x = cell.project(torch.randn(3, 1, contenders.EMBEDDING, dtype=torch.float64))[:, 0]
        zero, one = torch.zeros(3, 2, 4, 4, dtype=torch.float64), torch.randn(3, 2, 4, 4, dtype=torch.float64)
        transition = cell.step(x, one)[1] - cell.step(x, zero)[1]  # one (I - 2 k kᵀ), which preserves lengths
    torch.testing.assert_close(transition.norm(dim=-1), one.norm(dim=-1))
