"""Monthly prices of eight shares and two indices."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pandas as pd

from seqpipe.datasets._dataset import Dataset

__all__ = ["load_stocks"]


def load_stocks() -> Dataset:
    """Return monthly closing prices, in US dollars, for 390 months from January 1990 to June 2022.

    ``frame`` is float64 of shape (390, 10), with the first day of each month as its index "Date". AMZN, GOOGL and
    DELL were listed later (1997, 2004 and 2016) and are NaN before; IBM, AAPL, MSFT, XRX, ADBE and the
    indices ^GSPC (S&P 500) and ^IXIC (Nasdaq) are complete. The file also has rows within months, empty except for
    the last one, which repeats the month; these are left out.

    Source: Yahoo Finance, as shipped in matplotlib's sample data. Licence: none stated in the file; it is
    distributed under matplotlib's licence (PSF-based).

    Examples
    --------
    >>> from seqpipe.datasets import load_stocks
    >>> load_stocks().frame["IBM"].head(2).round(2).tolist()
    [10.97, 11.55]
    """
    path = Path(matplotlib.get_data_path()) / "sample_data" / "Stocks.csv"
    days = pd.read_csv(path, comment="#", index_col="Date", parse_dates=True)
    frame = days[pd.DatetimeIndex(days.index).day == 1].asfreq("MS")
    return Dataset(
        name="stocks",
        frame=frame,
        feature_names=tuple(frame.columns),
        description="Monthly closing prices of eight shares and two indices, 1990 to 2022, in US dollars.",
        source="Yahoo Finance, through matplotlib's sample data (Stocks.csv)",
        licence="none stated in the file; distributed under matplotlib's licence",
    )
