/* Messages out of a .proto file: flat structs here, protobuf where they leave the process. */
#include "09_messages.troupe.h"
#include "troupe/troupe.h"

#include <stdio.h>
#include <stdlib.h>

struct depot {
    uint64_t grams;
};

static tr_err on_parcel(tr_ctx *ctx, struct depot *self, const struct post_parcel *msg)
{
    if (msg->items_count == 0)
        return tr_fail(ctx, TR_EINVAL, "parcel '%s' is empty", msg->code);
    for (uint32_t i = 0; i < msg->items_count; i++)
        self->grams += msg->items[i].grams;
    printf("%s: %s, %" PRIu32 " items", msg->code,
           msg->speed == POST_SPEED_EXPRESS ? "express" : "normal", msg->items_count);
    if (msg->has_insured_pence)
        printf(", insured");
    switch (msg->destination_case) {
    case POST_PARCEL_DESTINATION_ADDRESS:
        printf(", to %s\n", msg->address);
        break;
    case POST_PARCEL_DESTINATION_LOCKER:
        printf(", to locker %" PRIu32 "\n", msg->locker);
        break;
    case POST_PARCEL_DESTINATION_NONE:
        printf(", to be asked for\n");
        break;
    }
    return TR_OK;
}

static tr_err on_label(tr_ctx *ctx, struct depot *self, const struct post_label *msg)
{
    (void)ctx, (void)self;
    printf("%s: a label of %" PRIu32 " bytes\n", msg->code, msg->picture_size);
    return TR_OK;
}

static tr_err on_done(tr_ctx *ctx, struct depot *self, const struct post_done *msg)
{
    (void)self, (void)msg;
    tr_reply(ctx, post_done);
    return TR_OK;
}

#define DEPOT_HANDLERS(ON)     \
    ON(post_parcel, on_parcel) \
    ON(post_label, on_label)   \
    ON(post_done, on_done)
TR_DISPATCH(depot, DEPOT_HANDLERS);
static const struct tr_actor depot_actor = {.name = "depot",
                                            .state_size = sizeof(struct depot),
                                            .receive = depot_receive,
                                            .accepts = depot_accepts};

/* A message with a trailing field is filled in where it will be read. */
static void send_label(tr_ctx *ctx, tr_pid depot, uint32_t size)
{
    struct post_label *label = tr_msg_new(ctx, &post_label_type,
                                          TR_SIZE_WITH(post_label, picture, size));
    if (!label)
        return;
    if (tr_set_text(label->code, "A-17") != TR_OK)
        label->code[0] = '\0';
    label->picture_size = size;
    memset(label->picture, '*', size);
    tr_send_take(ctx, depot, label);
}

/* What remoting does by itself: to the bytes that any protobuf reads, and back. */
static tr_err there_and_back(const struct post_parcel *parcel)
{
    const struct tr_codec *codec = post_parcel_type.codec;
    uint8_t *data = malloc(codec->encoded_size(parcel, sizeof *parcel));
    if (!data)
        return TR_ENOMEM;
    uint8_t *end = codec->encode(parcel, sizeof *parcel, data);
    struct post_parcel again;
    tr_err err = end ? codec->decode(data, (size_t)(end - data), &again, sizeof again) : TR_EINVAL;
    if (err == TR_OK)
        printf("%d bytes instead of %zu, and back: %s\n", (int)(end - data), sizeof again,
               again.items[1].name);
    free(data);
    return err;
}

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.workers = 1}))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid depot = tr_spawn(root, &depot_actor, .name = "depot");

    tr_send(root, depot, post_parcel, .code = "A-17", .speed = POST_SPEED_EXPRESS, .items_count = 2,
            .items = {{"lamp", 900}, {"bulb", 50}},
            .destination_case = POST_PARCEL_DESTINATION_LOCKER, .locker = 12);
    tr_send(root, depot, post_parcel, .code = "B-2", .items_count = 1, .items = {{"book", 400}},
            .has_insured_pence = true, .insured_pence = 5000,
            .destination_case = POST_PARCEL_DESTINATION_ADDRESS, .address = "1 Main Street");
    send_label(root, depot, 1000);
    struct post_done done;
    tr_err err = tr_ask(root, depot, TR_INTO(post_done, &done), 1000, post_done);

    const struct post_parcel parcel = {
        .code = "A-17", .items_count = 2, .items = {{"lamp", 900}, {"bulb", 50}}};
    if (!err)
        err = there_and_back(&parcel);
    if (!err)
        err = tr_system_stop(sys, 1000);
    tr_system_destroy(sys);
    return err ? 1 : 0;
}
