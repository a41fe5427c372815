"""One file for each sort of cause. `LOOKS` is the order in which they are looked for: the first that fits explains."""

from typing import Final

from autogen_streamtrace.commands.diagnose.looks.buffering import buffering
from autogen_streamtrace.commands.diagnose.looks.moments import moments
from autogen_streamtrace.commands.diagnose.looks.own import own_timers
from autogen_streamtrace.commands.diagnose.looks.refusals import refusals
from autogen_streamtrace.commands.diagnose.looks.rest import rest
from autogen_streamtrace.commands.diagnose.looks.reuse import reuse
from autogen_streamtrace.commands.diagnose.looks.timers import timers
from autogen_streamtrace.commands.diagnose.looks.told import told
from autogen_streamtrace.commands.diagnose.scene import Look

LOOKS: Final[tuple[Look, ...]] = (buffering, own_timers, told, moments, reuse, refusals, timers, rest)
