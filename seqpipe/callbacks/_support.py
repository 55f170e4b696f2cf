"""What makes an estimator support callbacks: scikit-learn's classes, or the stand-ins for them."""

from __future__ import annotations

import copy
from typing import Any

from seqpipe.callbacks import _stand_in

__all__ = ["CALLBACK_STATE", "IS_LIVE", "CallbackSupportMixin", "listeners_of", "with_callbacks", "without_callbacks"]

#: Attributes of an estimator that hold its callbacks, or traces of a fit with some.
CALLBACK_STATE = _stand_in.STATE

#: What seqpipe and its tests use of a context, beside the attributes that `FitTask` reads.
_CONTEXT = ("subcontext", "call_on_fit_task_begin", "call_on_fit_task_end", "propagate_callback_context")


def _is_known(mixin: Any, context: Any) -> bool:
    return hasattr(mixin, "_init_callback_context") and all(hasattr(context, name) for name in _CONTEXT)


CallbackSupportMixin: Any = _stand_in.CallbackSupportMixin
with_callbacks: Any = _stand_in.with_callbacks
#: Whether scikit-learn's searches and pipelines notify callbacks of what runs inside them.
IS_LIVE = False

try:
    from sklearn import callback as _sklearn

    if _is_known(_sklearn.CallbackSupportMixin, _sklearn.CallbackContext):
        CallbackSupportMixin, with_callbacks = _sklearn.CallbackSupportMixin, _sklearn.with_callbacks
        IS_LIVE = True
except (ImportError, AttributeError):
    pass


def without_callbacks(estimator: Any) -> Any:
    """Return a shallow copy of an estimator that holds no callbacks, nor any trace of a fit with some."""
    bare = copy.copy(estimator)
    for name in CALLBACK_STATE:
        vars(bare).pop(name, None)
    return bare


def listeners_of(estimator: Any) -> list[Any]:
    """Return the callbacks that are set on an estimator."""
    return list(getattr(estimator, "_skl_callbacks", []))
