// ipctune-core: what of ipctune has to be machine code. Prints one JSON object on one line.
#include <string.h>

#include "error.h"
#include "facts.h"
#include "mechanism.h"
#include "options.h"
#include "run.h"

static void no_more_words(int argc, char **argv)
{
	if (argc > 2)
		usage("'%s' takes no options, not '%s'", argv[1], argv[2]);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		usage("ipctune-core run|mechanisms|facts");
	if (!strcmp(argv[1], "run")) {
		struct options options = options_parse(argc - 2, argv + 2);

		return run(&options);
	}
	if (!strcmp(argv[1], "mechanisms")) {
		no_more_words(argc, argv);
		mechanisms_print();
	} else if (!strcmp(argv[1], "facts")) {
		no_more_words(argc, argv);
		facts_print();
	} else {
		usage("'%s' is not one of run, mechanisms, facts", argv[1]);
	}
	return EXIT_DONE;
}
