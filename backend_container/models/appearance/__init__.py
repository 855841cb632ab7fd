"""The `appearance` engine: an active appearance model (Cootes, Edwards and Taylor, PAMI 23(6), 2001) and a finisher.

A photo is aligned by its landmarks (`align`), warped to the average face (`warp`), and described by few numbers
(`model`); a render of those numbers is made photographic by a small network (`finisher`). Its files: `weights`.
"""
