/*
 * Runs a fuzz target once on every file of the folders named: what a fuzzer has found stays found,
 * with any compiler. Leaves out fuzzing, which is libFuzzer's.
 */
#define _GNU_SOURCE
#include "tests/fuzz/fuzz.h"

#include "harness/file_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 20 };

/* Named first, so that the last line before a crash says which input it was. */
static void run_file(int folder_fd, const char *name)
{
    struct file_text text;
    char error[FILE_TEXT_ERROR_BYTES];

    printf("%s\n", name);
    fflush(stdout);
    if (file_text_read(&text, folder_fd, name, MOST_BYTES, error) != 0) {
        fprintf(stderr, "%s\n", error);
        exit(1);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)text.bytes, text.length);
    file_text_free(&text);
}

/* How many files it holds. */
static size_t run_folder(const char *path)
{
    DIR *folder = opendir(path);
    size_t files = 0;

    if (!folder) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(dirfd(folder), entry->d_name);
        files++;
    }
    closedir(folder);
    return files;
}

int main(int argc, char **argv)
{
    size_t files = 0;

    for (int i = 1; i < argc; i++)
        files += run_folder(argv[i]);
    printf("%zu inputs\n", files);
    /* An empty corpus tests nothing. */
    return files ? 0 : 1;
}
