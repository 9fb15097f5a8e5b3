"""`mxcy.numpy.fft`: discrete Fourier transforms, by NumPy over our memory."""

import numpy as _np

from . import _standard
from ._functions import Through

fft = Through(_np.fft.fft)
fft2 = Through(_np.fft.fft2)
fftfreq = Through(_standard.fftfreq)
fftn = Through(_np.fft.fftn)
fftshift = Through(_np.fft.fftshift)
hfft = Through(_np.fft.hfft)
ifft = Through(_np.fft.ifft)
ifft2 = Through(_np.fft.ifft2)
ifftn = Through(_np.fft.ifftn)
ifftshift = Through(_np.fft.ifftshift)
ihfft = Through(_np.fft.ihfft)
irfft = Through(_np.fft.irfft)
irfft2 = Through(_np.fft.irfft2)
irfftn = Through(_np.fft.irfftn)
rfft = Through(_np.fft.rfft)
rfft2 = Through(_np.fft.rfft2)
rfftfreq = Through(_standard.rfftfreq)
rfftn = Through(_np.fft.rfftn)

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftfreq",
    "rfftn",
]
