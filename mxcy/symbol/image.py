"""`mx.sym.image`: images as arrays (height, width, channels)."""

from ..ops import image_sizes, images, images_random
from .function import SymbolFunction

adjust_lighting = SymbolFunction(images._image_adjust_lighting, "adjust_lighting")
crop = SymbolFunction(images._image_crop, "crop")
flip_left_right = SymbolFunction(images._image_flip_left_right, "flip_left_right")
flip_top_bottom = SymbolFunction(images._image_flip_top_bottom, "flip_top_bottom")
normalize = SymbolFunction(images._image_normalize, "normalize")
random_brightness = SymbolFunction(images_random._image_random_brightness, "random_brightness")
random_color_jitter = SymbolFunction(images_random._image_random_color_jitter, "random_color_jitter")
random_contrast = SymbolFunction(images_random._image_random_contrast, "random_contrast")
random_flip_left_right = SymbolFunction(images_random._image_random_flip_left_right, "random_flip_left_right")
random_flip_top_bottom = SymbolFunction(images_random._image_random_flip_top_bottom, "random_flip_top_bottom")
random_hue = SymbolFunction(images_random._image_random_hue, "random_hue")
random_lighting = SymbolFunction(images_random._image_random_lighting, "random_lighting")
random_saturation = SymbolFunction(images_random._image_random_saturation, "random_saturation")
resize = SymbolFunction(image_sizes._image_resize, "resize")
to_tensor = SymbolFunction(images._image_to_tensor, "to_tensor")

__all__ = [
    "adjust_lighting",
    "crop",
    "flip_left_right",
    "flip_top_bottom",
    "normalize",
    "random_brightness",
    "random_color_jitter",
    "random_contrast",
    "random_flip_left_right",
    "random_flip_top_bottom",
    "random_hue",
    "random_lighting",
    "random_saturation",
    "resize",
    "to_tensor",
]
