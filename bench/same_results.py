"""Code that makes the results of earlier code, to the bit, so that the earlier records stand.

A change of code makes every record that depends on it stale, and it should: nobody knows beforehand what it changes.
Where it has been shown to change nothing, the digest of the code (`bench.provenance`) is told as that of the code before
it. The next change makes an entry void, and a test then asks for it to be renewed, after the same proof, or taken out.
"""

# Digest of the present code -> the digest under which records know it.
#
# What breaks a recomputation of F and G is told or made right (bench/reversible/contract.py); a scale of batch
# normalisation that is computed from a parameter trains it; several processes resume with the same running statistics.
# Shown by making again, on a CPU, and comparing with the records of the code before:
#   quick, floor  whole: every loss, accuracy, count of bytes and signal-to-noise ratio
#   cpu           WHICH
# On a GPU it was not run: there too the change adds comparisons in Python and no other kernel.
SAME_AS = {}
