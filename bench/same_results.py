"""Code that makes the results of earlier code, to the bit, so that the earlier records stand.

A change of code makes every record that depends on it stale, and it should: nobody knows beforehand what it changes.
Where it has been shown to change nothing, the digest of the code (`bench.provenance`) is told as that of the code
before. The next change makes an entry void, and a test then asks to renew it, after the same proof, or to take it out.
"""

# Digest of the present code -> the digest under which records know it.
#
# What breaks a recomputation of F and G is told or made right (bench/reversible/contract.py); a scale of batch
# normalisation that is computed from a parameter trains it in streamed networks, which no record has; several processes
# resume with the same running statistics. Shown on a CPU, by making records again and comparing all but times:
#   quick  all 74 records and 14 CSV files: losses, accuracies, bytes, signal-to-noise ratios, angles
#   floor  bytes of all networks, by category
#   cpu    trainings of the noisy hybrid and of streamed in 16 bits, eight epochs of Fashion-MNIST: losses, accuracies
# A step takes as long as before: new over old 1.00 (streamed) and 1.02 (RevNet) where it is 9 and 13 ms, medians of six
# pairs of processes, timed by hand. It was not run on a GPU, where it adds comparisons in Python and no kernel.
SAME_AS = {
    "e8bf845bdd57": "2bfc2ed41860",  # trainings
    "03f02723a078": "7f05ae0e8aac",  # memory and steps
    "0d6cc39e4160": "859fd271f8b0",  # numerics
    "63ca9ec12e50": "d1daeaf80dd1",  # control
}
