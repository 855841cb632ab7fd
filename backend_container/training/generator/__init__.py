"""Training of a StyleGAN2 generator (Karras et al. 2020, arXiv 1912.04958) on few photos (ADA, arXiv 2006.06676).

`config` what it is told · `losses` and `regularisers` · `draws` random augmentations · `augment` applies them ·
`adaptation` how strong they are · `average` the generator that is kept · `feed` photos · `networks` all of them ·
`trainer` the steps · `result` weights, model card, samples.
"""
