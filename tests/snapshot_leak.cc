// C++'s blocks for snapshot_test.py, in the marks of snapshot_leak.c: each operator new and what
// fails in it. Leaves out containers, whose lines are the C++ library's.
#include <cstddef>
#include <cstdint>
#include <new>

namespace
{
void *volatile kept;

struct alignas(128) Wide {
    char bytes[128];
};

// Too large for any allocator: the real operator has to throw through ours.
int fails_as_it_should()
{
    volatile std::size_t bytes = PTRDIFF_MAX;
    try {
        kept = ::operator new(bytes);
    } catch (const std::bad_alloc &) {
        return ::operator new(bytes, std::nothrow) != nullptr ? 1 : 0;
    }
    return 1;
}
} // namespace

int main(int argc, char ** /*argv*/)
{
    for (int i = 0; i < 5; i++)
        kept = new char[200];            // LEAK array 5 200
    kept = new std::uint64_t;            // LEAK one 1 8
    kept = new Wide;                     // LEAK aligned 1 128
    kept = new (std::nothrow) char[333]; // LEAK nothrow 1 333
    for (int i = 0; i < 100; i++) {
        auto *block = new Wide[3];
        kept = block;
        delete[] block;
        auto *number = new int;
        kept = number;
        delete number;
    }
    // An allocator that was built without exceptions ends the program there.
    return argc > 1 ? 0 : fails_as_it_should();
}
