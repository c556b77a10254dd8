/* A ring buffer of integers with a fixed capacity, and a few checks of it. */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

struct ring_buffer {
    int *items;
    size_t capacity;
    size_t head;
    size_t count;
};

bool ring_buffer_init(struct ring_buffer *buffer, size_t capacity)
{
    buffer->items = malloc(capacity * sizeof(*buffer->items));
    if (buffer->items == NULL) {
        return false;
    }
    buffer->capacity = capacity;
    buffer->head = 0;
    buffer->count = 0;
    return true;
}

void ring_buffer_free(struct ring_buffer *buffer)
{
    free(buffer->items);
    buffer->items = NULL;
    buffer->capacity = 0;
    buffer->head = 0;
    buffer->count = 0;
}

bool ring_buffer_is_empty(const struct ring_buffer *buffer)
{
    return buffer->count == 0;
}

bool ring_buffer_is_full(const struct ring_buffer *buffer)
{
    return buffer->count == buffer->capacity;
}

bool ring_buffer_push(struct ring_buffer *buffer, int item)
{
    if (ring_buffer_is_full(buffer)) {
        return false;
    }
    size_t tail = (buffer->head + buffer->count) % buffer->capacity;
    buffer->items[tail] = item;
    buffer->count++;
    return true;
}

bool ring_buffer_pop(struct ring_buffer *buffer, int *item)
{
    if (ring_buffer_is_empty(buffer)) {
        return false;
    }
    *item = buffer->items[buffer->head];
    buffer->head = (buffer->head + 1) % buffer->capacity;
    buffer->count--;
    return true;
}

int main(void)
{
    struct ring_buffer buffer;
    if (!ring_buffer_init(&buffer, 3)) {
        fprintf(stderr, "out of memory\n");
        return EXIT_FAILURE;
    }
    for (int i = 0; i < 4; i++) {
        bool pushed = ring_buffer_push(&buffer, i);
        assert(pushed == (i < 3));
    }
    int item;
    while (ring_buffer_pop(&buffer, &item)) {
        printf("%d\n", item);
    }
    ring_buffer_free(&buffer);
    return EXIT_SUCCESS;
}
