// Exceptions on their way through frames: see stack_shapes.h.
#include "tests/stack_shapes.h"

namespace
{

class looker
{
  public:
    explicit looker(look_function *given) : look(given)
    {
    }
    looker(const looker &) = delete;
    looker &operator=(const looker &) = delete;
    ~looker()
    {
        look(); // while an exception is on its way
    }

  private:
    look_function *look;
};

// NOLINTNEXTLINE(misc-no-recursion): it is what is looked at
[[gnu::noinline]] void throw_below(look_function *look, int depth)
{
    const looker at_end(look);

    if (depth == 0)
        throw depth;
    throw_below(look, depth - 1);
    look();
}

} // namespace

void stack_shape_exceptions(look_function *look)
{
    for (int depth = 0; depth < 20; depth++) {
        try {
            throw_below(look, depth);
        } catch (int) {
            look();
        }
        look();
    }
}
