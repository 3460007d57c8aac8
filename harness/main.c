/* tidemark: the command. Everything is in the library, so that tests can call it. */
#include "harness/cli.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
