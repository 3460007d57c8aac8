/*
 * A mapping with its blocks on disk: see flat_writer.h. Leaves out other machines.
 */
#define _GNU_SOURCE
#include "harness/trace/flat_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

int flat_writer_open(struct flat_writer *writer, const struct flat_head *head, int fd)
{
    const uint64_t bytes =
        sizeof *head + head->threads * sizeof(struct flat_thread) + head->words * sizeof(uint64_t);
    /* Its blocks too: writing to the pages of a file on a full disk would be a signal. */
    const int error = posix_fallocate(fd, 0, (off_t)bytes);

    if (error)
        return -error;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (pages == MAP_FAILED)
        return -errno;
    writer->head = pages;
    *writer->head = *head;
    memcpy(writer->head->magic, FLAT_MAGIC, sizeof writer->head->magic);
    writer->head->file_bytes = bytes;
    writer->threads = (struct flat_thread *)(writer->head + 1);
    writer->words = (uint64_t *)(writer->threads + head->threads);
    return 0;
}

uint64_t flat_writer_words(uint64_t bytes)
{
    return bytes >= FLAT_SIZE_FOLLOWS ? 2 : 1;
}

uint64_t flat_writer_put_sized(uint64_t *words, uint64_t word, uint64_t bytes)
{
    const int follows = bytes >= FLAT_SIZE_FOLLOWS;

    words[0] = word | (follows ? FLAT_SIZE_FOLLOWS : bytes) << FLAT_SIZE_SHIFT;
    if (follows)
        words[1] = bytes;
    return follows ? 2 : 1;
}

void flat_writer_close(struct flat_writer *writer)
{
    uint64_t mixed = 0;

    for (uint64_t i = 0; i < writer->head->words; i++)
        mixed = mixed * 31 + writer->words[i];
    writer->head->checksum = mixed;
    munmap(writer->head, writer->head->file_bytes);
    writer->head = NULL;
}
