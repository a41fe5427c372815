"""The flight recorder: a file in which every open stream of a process stands, so that it survives the process."""
