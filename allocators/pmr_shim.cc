/*
 * The memory resources of the C++ library behind pmr_shim.h: each function forwards to one call.
 * Leaves out every decision but where their memory comes from. Written against <memory_resource> of
 * libstdc++ 12.
 */
#include "allocators/pmr_shim.h"

#include <cstdint>
#include <memory_resource>
#include <new>

namespace
{

constexpr std::size_t malloc_alignment = 16;
constexpr std::size_t most_bytes = PTRDIFF_MAX / 2; /* beyond it their sums would wrap */

void *(*beneath_malloc)(std::size_t size);
void (*beneath_free)(void *block);

/* The allocator beneath. More than malloc's alignment is had by asking for more, with the block's
 * own address before what is given out. */
class RawResource final : public std::pmr::memory_resource
{
    void *do_allocate(std::size_t bytes, std::size_t alignment) override
    {
        if (alignment <= malloc_alignment)
            return found(beneath_malloc(bytes));
        if (bytes > most_bytes || alignment > most_bytes)
            throw std::bad_alloc();
        char *block = static_cast<char *>(found(beneath_malloc(bytes + alignment)));
        /* A block is aligned to 16, so that at least 16 bytes are before the next multiple. */
        char *aligned =
            block + (alignment - (reinterpret_cast<std::uintptr_t>(block) & (alignment - 1)));
        reinterpret_cast<void **>(aligned)[-1] = block;
        return aligned;
    }

    void do_deallocate(void *block, std::size_t /*bytes*/, std::size_t alignment) override
    {
        beneath_free(alignment <= malloc_alignment ? block : static_cast<void **>(block)[-1]);
    }

    bool do_is_equal(const std::pmr::memory_resource &other) const noexcept override
    {
        return this == &other;
    }

    static void *found(void *block)
    {
        if (block == nullptr)
            throw std::bad_alloc();
        return block;
    }
};

RawResource beneath;

template <typename Resource> void *create() noexcept
{
    void *memory = beneath_malloc(sizeof(Resource));

    if (memory == nullptr)
        return nullptr;
    try {
        return new (memory) Resource(&beneath);
    } catch (...) {
        beneath_free(memory);
        return nullptr;
    }
}

template <typename Resource>
void *allocate(void *region, std::size_t size, std::size_t alignment) noexcept
{
    if (size > most_bytes || alignment > most_bytes)
        return nullptr;
    try {
        return static_cast<Resource *>(region)->allocate(size, alignment);
    } catch (...) {
        return nullptr;
    }
}

template <typename Resource> void reset(void *region) noexcept
{
    static_cast<Resource *>(region)->release();
}

template <typename Resource> void destroy(void *region) noexcept
{
    static_cast<Resource *>(region)->~Resource();
    beneath_free(region);
}

using Monotonic = std::pmr::monotonic_buffer_resource;
using Pool = std::pmr::unsynchronized_pool_resource;

} // namespace

void tidemark_pmr_stand_on(void *(*raw_malloc)(size_t size), void (*raw_free)(void *block))
{
    beneath_malloc = raw_malloc;
    beneath_free = raw_free;
}

int tidemark_pmr_release(void)
{
    return _GLIBCXX_RELEASE;
}

void *tidemark_pmr_monotonic_create(void)
{
    return create<Monotonic>();
}

void *tidemark_pmr_monotonic_alloc(void *region, size_t size, size_t alignment)
{
    return allocate<Monotonic>(region, size, alignment);
}

void tidemark_pmr_monotonic_reset(void *region)
{
    reset<Monotonic>(region);
}

void tidemark_pmr_monotonic_destroy(void *region)
{
    destroy<Monotonic>(region);
}

void *tidemark_pmr_pool_create(void)
{
    return create<Pool>();
}

void *tidemark_pmr_pool_alloc(void *region, size_t size, size_t alignment)
{
    return allocate<Pool>(region, size, alignment);
}

void tidemark_pmr_pool_reset(void *region)
{
    reset<Pool>(region);
}

void tidemark_pmr_pool_destroy(void *region)
{
    destroy<Pool>(region);
}
