#pragma once

// Sorts the values; NAN of none.
double median(double *values, int count);
