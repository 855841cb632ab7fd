"""Training of a StyleGAN2 generator (Karras et al. 2020, arXiv 1912.04958) on few photos (ADA, arXiv 2006.06676).

`config` what it is told · `feed` photos · `codes` z, and where styles mix · `augmentation` by `ada` or `diffaugment`,
as strong as `adaptation` says · `losses` what it lowers · `networks` all of them, `average` the one that is kept ·
`learner` one that learns, `precision` in which numbers · `trainer` the steps · `result` weights, model card, samples.
"""
