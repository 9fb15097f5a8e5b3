"""`mx.nd.image`: images as arrays (height, width, channels)."""

from ..ops.image_sizes import _image_resize as resize
from ..ops.images import _image_adjust_lighting as adjust_lighting
from ..ops.images import _image_crop as crop
from ..ops.images import _image_flip_left_right as flip_left_right
from ..ops.images import _image_flip_top_bottom as flip_top_bottom
from ..ops.images import _image_normalize as normalize
from ..ops.images import _image_to_tensor as to_tensor
from ..ops.images_random import _image_random_brightness as random_brightness
from ..ops.images_random import _image_random_color_jitter as random_color_jitter
from ..ops.images_random import _image_random_contrast as random_contrast
from ..ops.images_random import _image_random_flip_left_right as random_flip_left_right
from ..ops.images_random import _image_random_flip_top_bottom as random_flip_top_bottom
from ..ops.images_random import _image_random_hue as random_hue
from ..ops.images_random import _image_random_lighting as random_lighting
from ..ops.images_random import _image_random_saturation as random_saturation

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
