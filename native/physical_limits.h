// What nothing on this machine can be faster than: the figures that are printed beside results.
#pragma once

// Parses its own options, measures, prints one JSON object; returns the exit status.
int limits(int argc, char **argv);
