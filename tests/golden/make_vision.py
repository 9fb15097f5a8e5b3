"""Make vision.json and vision.npz with the real Apache MXNet 1.9.1: operators on images, regions and boxes.

    .peers/mxnet/bin/python tests/golden/make_vision.py [OUTPUT_FOLDER]

The format is that of ops.json (README.md).
"""
import sys

import numpy as np
from _golden import Ops, dump, path

F = np.float32


class Vision(Ops):
    backward_trains = False

    def add(self, op, ins, attrs=None, train=True, **rest):
        return super(Vision, self).add(op, ins, attrs, train=train, **rest)


def columns(g, rs):
    x = rs.randn(2, 3, 5, 6)
    padded = {'kernel': [3, 2], 'stride': [2, 1], 'dilate': [1, 2], 'pad': [1, 2]}
    for dtype in ('float32', 'float64', 'float16'):
        g.add('im2col', [x.astype(dtype)], {'kernel': [2, 2]})
        g.add('im2col', [x.astype(dtype)], padded)
    g.add('im2col', [rs.randn(2, 2, 7).astype(F)], {'kernel': [3], 'stride': [3], 'pad': [3]})
    g.add('im2col', [rs.randn(1, 2, 3, 2, 4).astype(F)], {'kernel': [2, 1, 2]})
    g.add('im2col', [x.astype(F)], {'kernel': [9, 9]})
    g.add('im2col', [x.astype('int32')], {'kernel': [2, 2]})
    g.add('im2col', [x.astype(F)], {'kernel': [2, 2], 'stride': [0, 1]})
    g.add('im2col', [x.astype(F)], {'kernel': [2, 2], 'pad': [1]})
    c = rs.randn(2, 12, 20)
    for dtype in ('float32', 'float64'):
        g.add('col2im', [c.astype(dtype)], {'kernel': [2, 2], 'output_size': [5, 6]})
    g.add('col2im', [rs.randn(2, 12, 18).astype(F)], dict(padded, output_size=[5, 4]))
    g.add('col2im', [rs.randn(2, 6, 4).astype(F)], {'kernel': [3], 'stride': [3], 'pad': [3], 'output_size': [7]})
    g.add('col2im', [c.astype(F)], {'kernel': [2, 2], 'output_size': [5, 7]})
    g.add('col2im', [c.astype(F)], {'kernel': [2, 2], 'output_size': [5]})


def sizes(g, rs):
    x = rs.randn(2, 3, 5, 6)
    op = 'contrib.AdaptiveAvgPooling2D'
    for dtype in ('float32', 'float64', 'float16'):
        for size in ([3], [3, 4], [9, 1], [5, 6]):
            g.add(op, [x.astype(dtype)], {'output_size': size})
    g.add(op, [x.astype(F)])
    g.add(op, [x.astype('int32')])
    g.add(op, [x[0].astype(F)])
    op = 'contrib.BilinearResize2D'
    for dtype in ('float32', 'float64', 'float16'):
        for align in (True, False):
            for size in ((3, 4), (11, 9), (1, 1), (5, 6), (1, 8)):
                g.add(op, [x.astype(dtype)], {'height': size[0], 'width': size[1], 'align_corners': align})
    x = x.astype(F)
    g.add(op, [x], {'scale_height': .5, 'scale_width': 2.3})
    for scale in (2.3, .5, 2.):
        g.add(op, [x], {'scale_height': scale, 'scale_width': scale, 'mode': 'odd_scale'})
    for mode in ('to_even_down', 'to_even_up', 'to_odd_down', 'to_odd_up', 'odd_scale'):
        g.add(op, [x], {'mode': mode})
    # the real one's gradient of this mode crashes
    g.add(op, [x, rs.randn(1, 1, 7, 8).astype(F)], {'mode': 'like'}, grad=False)
    g.add(op, [x], {'height': 0, 'width': 3})
    g.add(op, [x], {'scale_height': 2., 'width': 3})
    g.add(op, [x.astype('int32')], {'height': 2, 'width': 3})
    g.add(op, [x[0]], {'height': 2, 'width': 3})


def regions(g, rs):
    x = rs.randn(2, 4, 6, 7).astype(F)
    rois = np.array([[0, .3, .2, 4.4, 3.6], [1, 1, 1, 3, 2], [-1, 0, 0, 2, 2], [0, 4, 4, 1, 1], [1, -2, -3, 9, 9]], F)
    # for a region without an image the real ROIAlign writes 0 over another region's result
    real = rois[[0, 1, 3, 4]]
    for size in ([2, 2], [3, 1]):
        for scale in (1., .5):
            attrs = {'pooled_size': size, 'spatial_scale': scale}
            g.add('ROIPooling', [x, rois], attrs, wrt=(0,))
            for more in ({}, {'sample_ratio': 2}):
                g.add('contrib.ROIAlign', [x, real], dict(attrs, **more), wrt=(0,))
            # the real one ends the process where a region has no extent
            g.add('contrib.ROIAlign', [x, rois[:2]], dict(attrs, aligned=True), wrt=(0,))
    attrs = {'pooled_size': [2, 2], 'spatial_scale': 1.}
    g.add('contrib.ROIAlign', [x, real], dict(attrs, position_sensitive=True), wrt=(0,))
    g.add('contrib.ROIAlign', [x[:, :3], rois], dict(attrs, position_sensitive=True), wrt=(0,))
    g.add('ROIPooling', [x.astype('float64'), rois.astype('float64')], attrs, wrt=(0,))
    for op in ('ROIPooling', 'contrib.ROIAlign'):
        g.add(op, [x, rois[:, :4]], attrs)
        g.add(op, [x[0], rois], attrs)


def boxes(g, rs):
    b = np.array([[0, .5, .1, .1, .2, .2], [1, .4, .1, .1, .2, .2], [0, .3, .1, .1, .14, .14],
                  [2, .6, .5, .5, .7, .8], [0, -.2, .5, .5, .7, .8]], F)
    low = rs.rand(2, 12, 2)
    many = np.concatenate([rs.randint(0, 3, (2, 12, 1)), rs.rand(2, 12, 1), low, low + rs.rand(2, 12, 2)], -1)
    for data in (b, many.astype(F), many):
        for attrs in ({}, {'overlap_thresh': .1, 'id_index': 0}, {'id_index': 0, 'background_id': 0},
                      {'overlap_thresh': .1, 'id_index': 0, 'force_suppress': True}, {'overlap_thresh': .1, 'topk': 2},
                      {'in_format': 'center', 'overlap_thresh': .2}, {'out_format': 'center'}, {'topk': 0},
                      {'in_format': 'center', 'out_format': 'corner'}, {'valid_thresh': .45}, {'valid_thresh': 2.}):
            g.add('contrib.box_nms', [data], attrs)
    for attrs in ({'score_index': 7}, {'id_index': 3}, {'coord_start': 3}, {'coord_start': -1}):
        g.add('contrib.box_nms', [b], attrs)
    for form in ('corner', 'center'):
        g.add('contrib.box_iou', [many[..., 2:].astype(F), b[:, 2:]], {'format': form}, grad=False)
        g.add('contrib.box_iou', [many[0, :, 2:], many[1, 0, 2:]], {'format': form}, grad=False)
    g.add('contrib.box_iou', [b, b[:, 2:]])


def anchors(g, rs):
    x = np.zeros((2, 3, 2, 3), F)
    for attrs in ({}, {'sizes': [.5, .25], 'ratios': [1., 2., .5]}, {'sizes': [.5], 'clip': True, 'offsets': [.2, .7]},
                  {'steps': [.3, .4]}, {'sizes': [.3, .6], 'ratios': [2., 3.]}, {'sizes': []}, {'steps': [-1., .5]}):
        g.add('contrib.MultiBoxPrior', [x], attrs, grad=False)
    g.add('contrib.MultiBoxPrior', [x[0]], grad=False)


def main():
    g = Vision()
    for family in (columns, sizes, regions, boxes, anchors):
        family(g, g.rs)
    dump('vision.json', g.cases)
    np.savez_compressed(path('vision.npz'), **g.arrays)
    print('%d cases, %d errors' % (len(g.cases), sum('error' in c for c in g.cases)))


if __name__ == '__main__':
    sys.exit(main())
