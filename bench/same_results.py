"""Code that makes the results of earlier code, to the bit, so that the earlier records stand.

A change of code makes every record that depends on it stale, and it should: nobody knows beforehand what it changes.
Where it has been shown to change nothing, the digest of the code (`bench.provenance`) is told as that of the code
before. The next change makes an entry void, and a test then asks to renew it, after the same proof, or to take it out.
"""

# Digest of the present code -> the digest under which records know it.
#
# What has changed: biases may learn at a rate of their own, as in no earlier record; one class takes the steps of
# every training, the control's too; parts of the engine that were written twice are written once, on a GPU the lines
# of three kernels that batch norm and activation are made of; what breaks a recomputation of F and G is told or made
# right (bench/reversible/contract.py), modules used twice within F among it; a scale of batch normalisation that is
# computed from a parameter trains it in streamed networks, which no record has; what no 16-bit number can hold is
# counted; a network that is not finite after an epoch has diverged; several processes, of which no record is, resume
# with the same running statistics and from one checkpoint, tell together of overflows and of what was not exact,
# share the cores, and come to a limit of time or of memory together; a run is resumed on hardware and a torch as
# before, which no record was, and has the peaks of all its processes; a 16-bit stem tells where its image was
# changed, and layers above it may have no parameters; an empty batch is refused; hooks on what F and G are given see
# no leaf; batch normalisation in training refuses one value a channel, whose variance was zero, and channels that are
# not its own; a grid is checked and named in the state from the beginning; a cap on a GPU's memory, which ended in an
# error before, holds, and steps under it become no CUDA graph, its segments grow and shrink, and its images are
# augmented there, not on the host; a GPU is leased once for all that one process measures; i-RevNet's logits may have
# a scale; values of options are checked; images of more than 8 bits are refused, and a folder's decoded images are
# known by its place too. Shown on a CPU, by making records again and comparing all but times and the new settings'
# names:
#   quick  all 74 records and 14 CSV files: losses, accuracies, bytes, signal-to-noise ratios, angles
#          (but for 1,432 bytes at the end of a timeline, which a 16-bit stem gives free with its backward pass)
#   floor  bytes of all networks, by category
# What one process does was run on a GPU as well (results/reference/h200), but for what came after those records: that
# under a cap segments grow, with which what was refused may fit, and images are augmented there. Kernels, compiled for
# a GPU, have the same instructions on numbers as before; addresses are computed in another order. Steps on a GPU are
# timed otherwise since: only exact reconstruction with deterministic algorithms, where all modes of a network that has
# an exact one were (docs/memory.md says so at the numbers).
SAME_AS = {
    "824138f2fe72": "2bfc2ed41860",  # trainings
    "8c2b1b0dcd0a": "7f05ae0e8aac",  # memory and steps
    "71d97257b5f7": "859fd271f8b0",  # numerics
}

# Key of a record made by code between two of these -> its key now. Here: the cap on a GPU's memory held already.
SAME_KEYS = {
    "257be2022d63": "32d0bc0caa13",  # revnet-ideal
    "744700f8bc28": "56ffa414ad8b",  # revnet-noisy
    "e1f317b707cb": "147df99e7b8f",  # layerwise-ideal
    "421d72cc2a1f": "8658bfa452f0",  # layerwise-noisy
    "1e5a30512da9": "1f96881c10a2",  # hybrid-ideal, seed 2
    "9aba05ecd718": "e51f2ec6778c",  # hybrid-ideal, seed 3
    "ea8d76344e3b": "beddd9308923",  # hybrid-noisy, seed 3
    "6b280d6b4340": "e8b97710d2e8",  # resnet18-ideal under the cap, which ended before a graph would have been recorded
}
