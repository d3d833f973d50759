// ipctune-core: what of ipctune has to be machine code. Prints one JSON object on one line.
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "bystander.h"
#include "error.h"
#include "facts.h"
#include "physical_limits.h"
#include "mechanism.h"
#include "options.h"
#include "run.h"

static void no_more_words(int argc, char **argv)
{
	if (argc > 2)
		usage("'%s' takes no options, not '%s'", argv[1], argv[2]);
}

// What measures is the first that the kernel ends where memory runs out: no service of the machine's is to die for it.
// Everybody may raise their own (proc_pid_oom_score_adj(5)); where /proc is hidden, nothing can be done.
static void first_to_go(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)!write(fd, "1000", 4); // what a container refuses here is no reason not to measure
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		usage("ipctune-core run|bystander|limits|mechanisms|facts");
	if (!strcmp(argv[1], "run")) {
		struct options options = options_parse(argc - 2, argv + 2);

		first_to_go();
		return run(&options);
	}
	if (!strcmp(argv[1], "bystander")) {
		first_to_go();
		return bystander(argc - 2, argv + 2);
	}
	if (!strcmp(argv[1], "limits")) {
		first_to_go();
		return limits(argc - 2, argv + 2);
	}
	if (!strcmp(argv[1], "mechanisms")) {
		no_more_words(argc, argv);
		mechanisms_print();
	} else if (!strcmp(argv[1], "facts")) {
		no_more_words(argc, argv);
		facts_print();
	} else {
		usage("'%s' is not one of run, bystander, limits, mechanisms, facts", argv[1]);
	}
	return EXIT_DONE;
}
