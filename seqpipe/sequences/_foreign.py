"""Conversion of data of other libraries to numpy and pandas; errors for unsupported data name the remedy."""

from __future__ import annotations

import sys
from collections.abc import Sequence, ValuesView
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from seqpipe.exceptions import InvalidSequencesError

__all__ = ["familiar", "familiar_item", "last_names", "listed"]

#: Types that are returned unchanged.
_FAMILIAR = (np.ndarray, list, pd.Series, pd.DataFrame, str, bytes)


def familiar(data: Any, name: str) -> Any:
    """Convert data of another library to an array, a pandas object or a list of arrays; return other data unchanged.

    Parameters
    ----------
    data : object
        A tensor or ``PackedSequence`` of torch; a frame or series that narwhals supports, such as one of polars; a
        table or an array of pyarrow, converted to a pandas object over the same memory; an ``xarray.DataArray``; or any
        other object.
    name : str
        Name of the data in error messages.

    Raises
    ------
    InvalidSequencesError
        If the data is sparse, masked, lazy, a tensor that is not dense real numbers in CPU memory, or a collection of
        several objects, such as a named tuple; the message names the remedy.
    """
    if np.ma.isMaskedArray(data):
        return _unmasked(data, name)
    if isinstance(data, np.ndarray) and data.dtype.kind == "T":  # numpy's texts of any length
        return data.astype(object)
    if isinstance(data, _FAMILIAR):
        return data
    if isinstance(data, pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(data)
    if isinstance(data, tuple):
        return _plain_tuple(data, name)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(data, torch.Tensor):
        return _from_tensor(data, name)
    library = type(data).__module__.partition(".")[0]
    if library == "torch":
        return _refuse(
            data,
            name,
            "give the tensors or arrays that it yields, as a list of arrays of shape (n_timesteps, n_features)",
        )
    if library == "xarray":
        return _from_xarray(data, name)
    if library in ("scipy", "sparse") and hasattr(data, "nnz"):
        return _refuse(data, name, "it is sparse: convert it with toarray() or todense()")
    if isinstance(data, pa.Array | pa.ChunkedArray):
        return _from_arrow(data)
    return _from_frame(data, name)


def listed(data: Any) -> Any:
    """Return a sequence of another type, such as a deque, and the values of a dict as a list; other data unchanged."""
    if isinstance(data, (*_FAMILIAR, tuple, range, bytearray, memoryview)) or hasattr(data, "__array__"):
        return data
    return list(data) if isinstance(data, Sequence | ValuesView) else data


def familiar_item(data: Any, name: str) -> Any:
    """Convert an item of a list, which is one sequence or one number, as `familiar` does.

    Raises
    ------
    InvalidSequencesError
        If `familiar` does, or the item holds several sequences.
    """
    data = listed(data)
    found = familiar(data, name)
    if isinstance(found, list) and not isinstance(data, list):
        return _refuse(data, name, f"it holds {len(found)} sequences; give it alone, or a list of its sequences")
    return found


def _refuse(data: Any, name: str, remedy: str) -> Any:
    raise InvalidSequencesError(f"{name} is of type {_type(data)}: {remedy}.")


def _type(data: Any) -> str:
    return f"{type(data).__module__.partition('.')[0]}.{type(data).__name__}"


def _unmasked(data: Any, name: str) -> NDArray[Any]:
    masked = np.ma.getmaskarray(data)
    if masked.any():
        place = ", ".join(str(int(i)) for i in np.argwhere(masked)[0])
        raise InvalidSequencesError(
            f"{name} is a masked array, with {int(masked.sum())} masked values, the first at [{place}]: fill the masked steps, "
            "or cut them out."
        )
    return np.asarray(data.data)


def _plain_tuple(data: Any, name: str) -> Any:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(data, torch.nn.utils.rnn.PackedSequence):
        return _unpacked(data, name)
    if hasattr(data, "_fields") or hasattr(data, "n_sequence_fields"):  # the latter: torch.return_types
        fields = getattr(data, "_fields", ())
        raise InvalidSequencesError(
            f"{name} is a named tuple, {type(data).__name__}{fields or ''}, not a list of sequences: give one of its fields."
        )
    return data


# ---- torch


def _from_tensor(tensor: Any, name: str) -> Any:
    """Return a tensor as an array; a nested tensor as a list of arrays."""
    remedies = {
        "is masked": (hasattr(tensor, "get_mask"), "to_tensor(value)"),
        "requires gradients": (tensor.requires_grad, "detach()"),
        "is sparse": (not tensor.is_nested and tensor.layout != sys.modules["torch"].strided, "to_dense()"),
        f"is on the device {tensor.device.type!r}": (tensor.device.type != "cpu", "cpu()"),
        "is quantized": (tensor.is_quantized, "dequantize()"),
        "is complex": (tensor.is_complex(), "real and .imag as two features"),
    }
    for what, (there, remedy) in remedies.items():
        if there:
            raise InvalidSequencesError(
                f"{name} is a tensor that {what}: give a dense CPU tensor of real numbers, with .{remedy}."
            )
    if tensor.is_nested:
        return [_numbers_of(part, name) for part in tensor.unbind()]
    return _numbers_of(tensor, name)


def _numbers_of(tensor: Any, name: str) -> NDArray[Any]:
    try:
        return np.asarray(tensor.resolve_neg().numpy())
    except TypeError:  # bfloat16 and 8-bit floats, which numpy lacks and float32 represents exactly
        return np.asarray(tensor.float().numpy())
    except RuntimeError as error:  # a subclass without values in memory
        raise InvalidSequencesError(
            f"{name} is a {type(tensor).__name__} that is not numbers in memory: {error}"
        ) from error


def _unpacked(packed: Any, name: str) -> list[NDArray[Any]]:
    """Return the sequences of a PackedSequence in the order in which they were packed."""
    rows = _from_tensor(packed.data, name)
    sizes = _from_tensor(packed.batch_sizes, name)
    starts = np.cumsum(sizes) - sizes
    n_samples = int(sizes[0]) if len(sizes) else 0
    by_length = [rows[starts[sizes > i] + i] for i in range(n_samples)]
    if packed.unsorted_indices is None:
        return by_length
    return [by_length[i] for i in _from_tensor(packed.unsorted_indices, name)]


# ---- tables


def _from_xarray(data: Any, name: str) -> Any:
    """Return the values of a DataArray; as a table if it is two-dimensional with named columns."""
    if not hasattr(data, "to_numpy"):
        return _refuse(
            data, name, "it holds several arrays; combine them with to_dataarray() and transpose(), or choose one"
        )
    names = last_names(data)
    return pd.DataFrame(data.to_numpy(), columns=names) if data.ndim == 2 and names else data.to_numpy()


def last_names(data: Any) -> list[str] | None:
    """Return the string labels of a DataArray's last dimension; None for other labels, and for any other data."""
    if not hasattr(data, "dims") or not hasattr(data, "coords") or not data.dims or data.dims[-1] not in data.coords:
        return None
    labels = data.coords[data.dims[-1]].to_numpy().tolist()
    return labels if labels and all(isinstance(label, str) for label in labels) else None


def _from_arrow(data: pa.Array | pa.ChunkedArray) -> pd.Series[Any]:
    series: pd.Series[Any] = data.to_pandas(types_mapper=pd.ArrowDtype)
    return series


def _from_frame(data: Any, name: str) -> Any:
    """Convert an object that narwhals supports to a pandas object with the same names."""
    if not isinstance(data, pa.RecordBatch):
        frame = nw.from_native(data, allow_series=True, pass_through=True)
    else:
        frame = nw.from_native(pa.Table.from_batches([data]))
    if isinstance(frame, nw.LazyFrame):
        return _refuse(data, name, "it is not computed yet; collect it into a DataFrame first")
    if not isinstance(frame, nw.DataFrame | nw.Series):
        return data
    dtypes = [frame.dtype] if isinstance(frame, nw.Series) else [*frame.schema.values()]
    if frame.implementation.is_polars() and nw.Object in dtypes:  # Arrow would receive their addresses
        return _refuse(data, name, "it holds Python objects; give columns of numbers, of texts, or of lists of numbers")
    found = frame.to_arrow().to_pandas(types_mapper=pd.ArrowDtype)
    if isinstance(frame, nw.Series):
        found.name = frame.name or None
    return found
