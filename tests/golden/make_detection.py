"""Make detection.json and detection.npz with the real Apache MXNet 1.9.1: detectors' operators, displaced reads.

    .peers/mxnet/bin/python tests/golden/make_detection.py [OUTPUT_FOLDER]

The format is that of ops.json (README.md).
"""
import sys

import numpy as np
from _golden import dump, path
from make_vision import Vision

F = np.float32


def corners(rs, *shape):
    low = rs.rand(*(shape + (2,))) * .6
    return np.concatenate([low, low + .05 + rs.rand(*(shape + (2,))) * .4], -1)


def targets(g, rs):
    op = 'contrib.MultiBoxTarget'
    anchors = corners(rs, 1, 30).astype(F)
    labels = np.concatenate([rs.randint(0, 3, (3, 4, 1)), corners(rs, 3, 4), rs.rand(3, 4, 1)], -1).astype(F)
    labels[0, 2:] = -1
    labels[1] = -1
    predicted = rs.randn(3, 4, 30).astype(F)
    given = [anchors, labels, predicted]
    for attrs in ({}, {'overlap_threshold': .3}, {'overlap_threshold': -1.}, {'negative_mining_ratio': 1.},
                  {'negative_mining_ratio': 3., 'ignore_label': -5., 'minimum_negative_samples': 9},
                  {'negative_mining_ratio': .5, 'minimum_negative_samples': 4}, {'variances': [.1, .2, .3, .4]}):
        g.add(op, given, attrs, grad=False)
    g.add(op, [anchors[0], labels, predicted])
    g.add(op, [anchors, labels[0], predicted])
    g.add(op, [anchors, labels[..., :4], predicted])
    g.add(op, [anchors, labels, predicted[..., :29]])
    g.add(op, given, {'variances': [.1]})


def detections(g, rs):
    op = 'contrib.MultiBoxDetection'
    anchors = corners(rs, 1, 30).astype(F)
    odds = rs.rand(2, 4, 30).astype(F)
    offsets = (rs.randn(2, 120) * .5).astype(F)
    given = [odds, offsets, anchors]
    for attrs in ({}, {'threshold': .7}, {'clip': False}, {'nms_threshold': .2}, {'nms_threshold': -1.},
                  {'force_suppress': True, 'nms_threshold': .3}, {'nms_topk': 5}, {'background_id': 1},
                  {'variances': [.3, .3, .1, .1]}):
        g.add(op, given, attrs, grad=False)
    g.add(op, [odds, offsets[:, 1:], anchors])
    g.add(op, [odds[0], offsets, anchors])
    g.add(op, [odds, offsets, anchors[:, 1:]])
    g.add(op, given, {'variances': [.1, .2]})


def coding(g, rs):
    for dtype in (F, np.float64):
        samples, matches = rs.randint(-1, 2, (2, 6)).astype(dtype), rs.randint(0, 3, (2, 6)).astype(dtype)
        boxes, others = corners(rs, 2, 6).astype(dtype), corners(rs, 2, 3).astype(dtype)
        means, scales = rs.rand(4).astype(dtype), (rs.rand(4) + .1).astype(dtype)
        g.add('contrib.box_encode', [samples, matches, boxes, others, means, scales], grad=False)
        offsets = rs.randn(2, 6, 4).astype(dtype)
        for attrs in ({}, {'format': 'corner'}, {'clip': .1, 'std0': .1, 'std1': .2, 'std2': .3, 'std3': .4}):
            g.add('contrib.box_decode', [offsets, boxes[:1]], attrs, grad=False)
    g.add('contrib.box_encode', [samples[0], matches, boxes, others, means, scales])
    g.add('contrib.box_decode', [offsets[0], boxes[:1]])
    scores = rs.rand(2, 5, 4).astype(F)
    for attrs in ({'threshold': .1}, {'threshold': .6}, {'threshold': .4, 'is_ascend': True},
                  {'threshold': .1, 'topk': 1}, {'threshold': .1, 'topk': 2}):
        g.add('contrib.bipartite_matching', [scores], attrs)
    g.add('contrib.bipartite_matching', [scores[0].astype('float64')], {'threshold': .2})


def correlations(g, rs):
    a, b = rs.randn(2, 2, 3, 6, 7)
    options = ({}, {'kernel_size': 3, 'max_displacement': 2, 'stride1': 2, 'stride2': 2, 'pad_size': 3},
               {'max_displacement': 3, 'stride2': 2, 'pad_size': 4, 'is_multiply': False},
               {'kernel_size': 3, 'max_displacement': 1, 'stride1': 1, 'stride2': 1, 'pad_size': 1})
    for dtype in (F, np.float64):
        for attrs in options:
            g.add('Correlation', [a.astype(dtype), b.astype(dtype)], attrs)
    a, b = a.astype(F), b.astype(F)
    g.add('Correlation', [a, b], {'kernel_size': 2})
    g.add('Correlation', [a, b], {'max_displacement': 9})
    g.add('Correlation', [a[0], b[0]])


def deformed(g, rs):
    for op, masked in (('contrib.DeformableConvolution', False), ('contrib.ModulatedDeformableConvolution', True)):
        for dtype in (F, np.float64):
            x, w, bias = rs.randn(2, 4, 5, 6), rs.randn(4, 4, 3, 3), rs.randn(4)
            for groups, more in ((1, {}), (1, {'pad': [1, 1]}),
                                 (2, {'pad': [1, 2], 'stride': [2, 1], 'dilate': [1, 2]})):
                attrs = dict(more, kernel=[3, 3], num_filter=4, num_group=groups, num_deformable_group=groups)
                size = {(): (3, 4), (1, 1): (5, 6), (1, 2): (3, 6)}[tuple(more.get('pad', ()))]
                offset, mask = rs.randn(2, 18 * groups, *size), rs.rand(2, 9 * groups, *size)
                given = [x, offset] + ([mask] if masked else []) + [w[:, :4 // groups]]
                given = [a.astype(dtype) for a in given]
                g.add(op, given + [bias.astype(dtype)], attrs)
                g.add(op, given, dict(attrs, no_bias=True))


def positioned(g, rs):
    x = rs.randn(2, 18, 6, 7).astype(F)
    rois = np.array([[0, .3, .2, 4.4, 3.6], [1, 1, 1, 3, 2], [0, 4, 4, 1, 1], [1, 0, 0, 9, 9]], F)
    for attrs in ({'pooled_size': 3, 'output_dim': 2}, {'pooled_size': 2, 'group_size': 3, 'output_dim': 2}):
        for scale in (1., .5):
            g.add('contrib.PSROIPooling', [x, rois], dict(attrs, spatial_scale=scale), grad=False)
            for more in ({}, {'sample_per_part': 3}, {'part_size': 2}):
                options = dict(attrs, spatial_scale=scale, trans_std=.1, group_size=3, **more)
                size = options.get('part_size', options['pooled_size'])
                shifts = rs.randn(4, 4, size, size).astype(F)
                g.add('contrib.DeformablePSROIPooling', [x, rois, shifts], options, grad=False)
            g.add('contrib.DeformablePSROIPooling', [x, rois], dict(options, no_trans=True), grad=False)
    turned = np.array([[0, 3, 2, 4, 2, 30], [1, 3, 2, 2, 3, -75], [1, 3, 3, .5, .25, 10], [0, 1, 1, 9, 9, 180]], F)
    for attrs in ({'pooled_size': [2, 2]}, {'pooled_size': [3, 1], 'sampling_ratio': 2}):
        for scale in (1., .5):
            g.add('contrib.RROIAlign', [x[:, :3], turned], dict(attrs, spatial_scale=scale), grad=False)
    g.add('contrib.RROIAlign', [x[:, :3], rois], dict(attrs, spatial_scale=1.))


def proposals(g, rs):
    odds, moves = rs.rand(2, 24, 4, 5).astype(F), (rs.randn(2, 48, 4, 5) * .3).astype(F)
    images = np.array([[60., 77., 1.], [48., 64., 2.]], F)
    few = {'rpn_post_nms_top_n': 12, 'rpn_min_size': 4}
    for attrs in (few, dict(few, output_score=True), dict(few, rpn_pre_nms_top_n=20, threshold=.5),
                  dict(few, iou_loss=True), dict(few, rpn_min_size=40)):
        g.add('contrib.Proposal', [odds[:1], moves[:1], images[:1]], attrs, grad=False)
        g.add('contrib.MultiProposal', [odds, moves, images], attrs, grad=False)
    other = dict(few, scales=[2., 3.], ratios=[.5, 2.], feature_stride=8)
    g.add('contrib.Proposal', [odds[:1, :8], moves[:1, :16], images[:1] / 2], other, grad=False)
    g.add('contrib.Proposal', [odds, moves, images], few)
    g.add('contrib.Proposal', [odds[:1], moves[:1, 1:], images[:1]], few)


def events(g, rs):
    for dtype in (F, np.float64):
        given = [rs.rand(2, 3) + .5, np.array([.2, .3, .4]), np.array([1., 2., 3.]), rs.rand(2, 3), rs.rand(2, 4)]
        given = [a.astype(dtype) for a in given] + [rs.randint(0, 3, (2, 4)).astype('int32')]
        ends = [np.array([3, 4], dtype), np.array([4., 3.], dtype)]
        g.add('contrib.hawkesll', given + ends, wrt=(0, 1, 2))
    g.add('contrib.hawkesll', given[:1] + [given[1][:2]] + given[2:] + ends)


def main():
    g = Vision()
    for family in (targets, detections, coding, correlations, deformed, positioned, proposals, events):
        family(g, g.rs)
    dump('detection.json', g.cases)
    np.savez_compressed(path('detection.npz'), **g.arrays)
    print('%d cases, %d errors' % (len(g.cases), sum('error' in c for c in g.cases)))


if __name__ == '__main__':
    sys.exit(main())
