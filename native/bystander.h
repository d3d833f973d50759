// A program that has nothing to do with the pair: does it get its work done in time beside it?
#pragma once

// Parses its own options, measures, prints one JSON object; returns the exit status.
int bystander(int argc, char **argv);
