// A printer for one line of JSON on standard output. It keeps the commas right and the strings escaped.
// `key` is NULL inside a list and at the top.
#pragma once

#include <stdbool.h>
#include <stdint.h>

void json_open(const char *key, char bracket);
void json_close(char bracket);
void json_null(const char *key);
void json_bool(const char *key, bool value);
void json_integer(const char *key, int64_t value);
void json_unsigned(const char *key, uint64_t value);
void json_real(const char *key, double value);
void json_string(const char *key, const char *value); // NULL: null
void json_optional(const char *key, int64_t value);   // negative: null
void json_end(void);
