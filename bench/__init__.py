"""`make bench`: how fast the platform is, as ratios taken in one run on one machine.

    machine    what this machine is, and who used its processors meanwhile
    rounds     repeating a measure, putting disturbed rounds aside, medians
    scrypt     the reference of everything that opens a key: bare scrypt on all cores
    chain      the rules of the chain, and its blocks, against bare signature recovery
    platform   a real `jigap up` with members who are ready to begin
    wallets    new wallets over HTTP, against bare scrypt
    payments   payments over HTTP until they are final: how many, and how soon
    report     the table on the terminal and docs/performance.md

The load comes from this process, the platform is another one and its node a third; they share the
cores of the machine, and what each used is written down. Nothing is compared with another machine.
"""
