"""`make bench`: how fast the platform is, as ratios taken in one run on one machine.

    plan           how much of everything
    cases          the paper's four cases: ours, the paper's stack, a server that only answers
    load, samples  the load of the cases, from a process of its own; the paper's columns
    paper_stack    Apache, PHP and MariaDB as in the paper, from paper-php
    jmeter         the cases as test plans of the paper's tool, and a command that runs them
    noop           the server that only answers
    paper_figures  what the paper printed
    medians        what the rounds of the cases come to, and the aims
    everyday       wallets, searches and payments, one after the other on one platform
    machine        what this machine is, and who used its processors meanwhile
    rounds         repeating a measure, putting disturbed rounds aside, medians
    scrypt         the reference of everything that opens a key: bare scrypt on all cores
    chain          the rules of the chain, and its blocks, against bare signature recovery
    platform       a real `jigap up` with members who are ready to begin
    wallets        new wallets over HTTP until they have their SymIDs, against bare scrypt
    payments       payments over HTTP until they are final: how many, and how soon
    mixed          balances while wallets are made
    population     memory and start-up by members, who are made up
    explorer       reading transactions, blocks and accounts
    flood          what a refusal costs, and balances during a flood of them
    growth         blocks and state roots as the state grows to a million accounts
    report         tables on the terminal and docs/performance.md; case_report: the cases' part
    charts         lines as SVG

Load, platform and node are processes of their own; they share the
cores of the machine, and what each used is written down. Nothing is compared with another machine.
"""
