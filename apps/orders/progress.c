/* progress.c - see progress.h. */
#include "progress.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR_MAX 30
#define COLUMNS_USUAL 80
#define LINE_EVERY_S 5.0 /* plain lines: at least */

void progress_init(struct progress *progress, FILE *out, bool quiet)
{
    *progress = (struct progress){.out = out, .terminal = isatty(fileno(out)), .quiet = quiet};
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", progress->out);
    progress->drawn = false;
}

static int columns_of(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col
                                                                         : COLUMNS_USUAL;
}

static void put_clock(char *text, size_t size, double seconds, const char *word)
{
    int64_t whole = seconds < 0 ? 0 : (int64_t)seconds;
    if (whole >= 3600)
        snprintf(text, size, "%lld:%02d:%02d %s", (long long)(whole / 3600), (int)(whole / 60 % 60),
                 (int)(whole % 60), word);
    else
        snprintf(text, size, "%d:%02d %s", (int)(whole / 60), (int)(whole % 60), word);
}

/* The bar takes what room the words leave, so that the line never wraps. */
static void draw(struct progress *progress, double share, const char *words, bool last)
{
    int room = columns_of(progress->out) - 1, used = (int)strlen(words) + 3;
    int bar = share < 0 ? 0 : room - used < BAR_MAX ? room - used : BAR_MAX;
    fputc('\r', progress->out);
    if (bar >= 5) {
        int full = (int)(share * bar);
        fputc('[', progress->out);
        for (int i = 0; i < bar; i++)
            fputc(i < full ? '#' : '.', progress->out);
        fputs("] ", progress->out);
    }
    fprintf(progress->out, "%.*s\033[K%s", room, words, last ? "\n" : "");
    fflush(progress->out);
    progress->drawn = !last;
}

void progress_show(struct progress *progress, const struct flow_progress *now)
{
    char orders[ORD_MONEY_SIZE], rate[ORD_MONEY_SIZE], time[48], words[192];
    if (progress->quiet)
        return;
    double share = now->total > 0 ? (double)now->done / (double)now->total : -1; /* not known */
    if (share > 1 || now->last)
        share = 1;
    double per_second = now->seconds > 0 ? (double)now->orders / now->seconds : 0;
    if (now->last || share <= 0)
        put_clock(time, sizeof(time), now->seconds, "taken");
    else
        put_clock(time, sizeof(time), now->seconds / share * (1 - share), "left");
    ord_count(orders, (int64_t)now->orders);
    ord_count(rate, (int64_t)per_second);
    unsigned percent = share < 0 ? 0 : (unsigned)(share * 100);
    int n = share < 0 ? 0 : snprintf(words, sizeof(words), "%3u%%  ", percent);
    snprintf(words + n, sizeof(words) - (size_t)n, "%s orders  %s/s  %s", orders, rate, time);
    if (progress->terminal) {
        draw(progress, share, words, now->last);
    } else if (now->last || percent >= progress->percent + 10 ||
               now->seconds >= progress->told_s + LINE_EVERY_S) {
        progress->percent = percent;
        progress->told_s = now->seconds;
        fprintf(progress->out, "%s\n", words);
    }
}
