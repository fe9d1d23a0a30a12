"""Code that makes the results of earlier code, to the bit, so that the earlier records stand.

A change of code makes every record that depends on it stale, and it should: nobody knows beforehand what it changes.
Where it has been shown to change nothing, the digest of the code (`bench.provenance`) is told as that of the code
before. The next change makes an entry void, and a test then asks to renew it, after the same proof, or to take it out.
"""

# Digest of the present code -> the digest under which records know it.
#
# What has changed: biases may learn at a rate of their own, as in no earlier record; one class takes the steps of every
# training, the control's too; parts of the engine that were written twice are written once, on a GPU the lines of three
# kernels that batch norm and activation are made of; what breaks a recomputation of F and G is told or made right
# (bench/reversible/contract.py); a scale of batch normalisation that is computed from a parameter trains it in streamed
# networks, which no record has; several processes, of which no record is, resume with the same running statistics and
# tell together of overflows and of what was not exact. Shown on a CPU, by making records again and comparing all but
# times and the new setting's name:
#   quick  all 74 records and 14 CSV files: losses, accuracies, bytes, signal-to-noise ratios, angles
#   floor  bytes of all networks, by category
# Not run on a GPU. The kernels, compiled for one, have the same instructions on numbers as before; addresses are
# computed in another order.
SAME_AS = {
    "183ad56cd921": "2bfc2ed41860",  # trainings
    "707407ac8135": "7f05ae0e8aac",  # memory and steps
    "7b5600a60f43": "859fd271f8b0",  # numerics
}
