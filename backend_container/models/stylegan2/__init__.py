"""StyleGAN2 (Karras et al., CVPR 2020, arXiv 1912.04958) with an encoder into W+.

`config` what is built · `layers` its parts · `mapping` z to w · `synthesis` w+ to image · `generator` both of them ·
`discriminator` · `encoder` photo to w+ · `weights` files · `engine` what tasks use.
"""
