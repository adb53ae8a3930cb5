"""Animations as MP4, which players, phones and messengers show."""

import io

import numpy as np

from nfe.errors import ParamsError

__all__ = ["encode_mp4"]

CRF = "12"  # of x264: hardly a visible difference


def encode_mp4(pixels: np.ndarray, frames_per_second: int) -> bytes:
    """Encode frames as H.264 with halved colour resolution, which is what players read.

    Args:
        pixels: uint8, [N, H, W, 3], H and W even.
        frames_per_second: How fast they follow each other.

    Returns:
        Content of an MP4 file.

    Raises:
        ParamsError: If PyAV is not installed.
        ValueError: If a side is odd.
    """
    try:
        import av
    except ImportError as error:
        raise ParamsError(
            f"PyAV must be installed for MP4, got: {error}; install the extra [video], or write "
            "a .webp"
        ) from error
    height, width = pixels.shape[1:3]
    if height % 2 or width % 2:
        raise ValueError(f"sides must be even, got {width} x {height}")
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=frames_per_second, options={"crf": CRF})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return buffer.getvalue()
