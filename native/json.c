#include "json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "error.h"

static bool comma_due;

static void escaped(const char *text)
{
	putchar('"');
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			printf("\\%c", *c);
		else if (*c < 0x20 || *c >= 0x7f) // bytes of an argument need not be UTF-8: taken as Latin-1
			printf("\\u%04x", *c);
		else
			putchar(*c);
	}
	putchar('"');
}

static void begin(const char *key)
{
	if (comma_due)
		fputs(", ", stdout);
	if (key) {
		escaped(key);
		fputs(": ", stdout);
	}
	comma_due = true;
}

void json_open(const char *key, char bracket)
{
	begin(key);
	putchar(bracket);
	comma_due = false;
}

void json_close(char bracket)
{
	putchar(bracket);
	comma_due = true;
}

void json_null(const char *key)
{
	begin(key);
	fputs("null", stdout);
}

void json_bool(const char *key, bool value)
{
	begin(key);
	fputs(value ? "true" : "false", stdout);
}

void json_integer(const char *key, int64_t value)
{
	begin(key);
	printf("%" PRId64, value);
}

void json_unsigned(const char *key, uint64_t value)
{
	begin(key);
	printf("%" PRIu64, value);
}

void json_real(const char *key, double value)
{
	if (!isfinite(value)) {
		json_null(key);
		return;
	}
	begin(key);
	printf("%.9g", value);
}

void json_string(const char *key, const char *value)
{
	if (!value) {
		json_null(key);
		return;
	}
	begin(key);
	escaped(value);
}

void json_optional(const char *key, int64_t value)
{
	if (value < 0)
		json_null(key);
	else
		json_integer(key, value);
}

void json_end(void)
{
	putchar('\n');
	if (fflush(stdout) || ferror(stdout))
		_exit(EXIT_INTERNAL); // a full disk: no one may take half an answer for a whole one
	comma_due = false;
}
