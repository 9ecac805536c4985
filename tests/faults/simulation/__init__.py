"""The whole daemon, simulated: one seed drives its clock, its disk, its processes, its repositories and its people.

`python -m tests.faults.simulation --seed N` lives one such life again and prints its history.

Reading order: `world` (what there is, and the dice), `clock`, `disk`, `processes` and `behaviour`, `repositories` and
`files` (the seams, as the daemon is given them), `daemon` (one life of it, and how it ends), `people` (what they ask),
`fate` (faults), `witness` and `promises` (what must hold), `ending` (what must be true when the faults have stopped),
`seed` (all of it together), `canaries` (defects that must be found), `seeds` and `determinism` (the proofs).

Everything happens in one run of trio, on a mock clock, in an order that the seed decides. What the daemon is given is
all there is: nothing here touches a file, starts a process or waits for time to pass.
"""
