"""Networks whose features judge photos: their distances are losses in training and figures in evaluation."""
