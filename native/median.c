#include "median.h"

#include <math.h>
#include <stdlib.h>

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, int count)
{
	if (!count)
		return NAN;
	qsort(values, (size_t)count, sizeof *values, by_size);
	return (values[(count - 1) / 2] + values[count / 2]) / 2;
}
