"""Monthly prices of eight shares and two indices."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import pandas as pd

from seqpipe.datasets._dataset import Dataset

__all__ = ["load_stocks"]


def load_stocks() -> Dataset:
    """Return the closing prices, in US dollars, of 390 months from January 1990 to June 2022.

    ``frame`` is float64 of shape (390, 10), its index "Date" the first day of each month. AMZN, GOOGL and
    DELL were listed later and are NaN before (from 1997, 2004 and 2016); IBM, AAPL, MSFT, XRX, ADBE and the
    indices ^GSPC (S&P 500) and ^IXIC (Nasdaq) are full. The file has rows within months too, empty but for
    the last one, which repeats the month: they are left out.

    Source: Yahoo Finance, as matplotlib ships it in its sample data. Licence: the file states none of its
    own; it comes under matplotlib's licence (PSF-based).

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
