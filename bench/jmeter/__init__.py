"""The paper's own tool: JMeter's test plans for TC1 to TC4, and a command that runs them.

`python -m bench.jmeter tc3` makes members, starts the platform with the shield as the case wants
it, writes their sessions to a file, lets Maven fetch JMeter, and runs the plan without a window.
"""
