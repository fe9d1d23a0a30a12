"""What the paper's published version states, shown beside our numbers and never mixed with them."""

ARCHITECTURE, RECONSTRUCTION = "hybrid", "noisy"  # the proposed architecture, as the paper trains it
ACCURACY = 0.933  # CIFAR-10; abstract of arXiv 1910.11127
BYTES_PER_PIXEL = 352.0  # minimum training memory; same abstract, read with float32 and 32 initial channels
TOTAL_S = 67 * 60.0  # training on CIFAR-10; same abstract
DEVICE = "GTX 750, 1 GB"
SOURCE = "published by the paper (arXiv 1910.11127, EURASIP JIVP 2023:1) for CIFAR-10 with c0 = 32; not measured here"
