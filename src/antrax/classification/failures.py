"""What went wrong, as what it is and with what to do about it: memory, a drive, a graphics card, or a mistake."""

from __future__ import annotations

from antrax.errors import AntraxError, explain_mistake, is_drive_failure
from antrax.messages import parameter

_GPU_ERRORS = frozenset({"OutOfMemoryError", "AcceleratorError"})
_GPU_WORDS = (
    "CUDA error",
    "CUDA out of memory",
    "cuDNN error",
    "CUBLAS_STATUS",
    "HIP error",
    "MPS backend out of memory",
)


def is_gpu_failure(error: BaseException) -> bool:
    """Whether an error comes of a graphics card, its memory or its driver. PyTorch is not loaded to find out.

    Parameters
    ----------
    error : BaseException
    """
    if type(error).__module__.partition(".")[0] == "torch" and type(error).__name__ in _GPU_ERRORS:
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _GPU_WORDS)


def describe_failure(error: BaseException, where: object) -> str:
    """A sentence about an error: what it is, where, and what to do.

    Parameters
    ----------
    error : BaseException
    where : object
        The file that was worked on.

    Returns
    -------
    str
        Of a mistake in this package it names the file with the traceback.
    """
    if is_drive_failure(error):
        cause = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(str(error).split())
        return (
            f"{where} cannot be read, for its drive fails or was disconnected ({cause}); check it, and classify again"
        )
    if isinstance(error, AntraxError):
        return str(error)
    if is_gpu_failure(error):
        what = "memory ran out on" if type(error).__name__ == "OutOfMemoryError" else "there was an error of"
        why = " ".join(str(error).split("\n")[0].split())[:200]
        instead = parameter("device", "cpu")
        return f"{where}: {what} the graphics card ({why}); end other programs that use it, or take {instead}"
    if isinstance(error, MemoryError):
        return f"{where}: memory ran out; use fewer workers ({parameter('workers', 1)}), or close other programs"
    if isinstance(error, OSError):
        return f"{where} cannot be read: {error.strerror or error}"
    return f"{where}: {explain_mistake(error)}" if isinstance(error, Exception) else f"{where}: {error!r}"
