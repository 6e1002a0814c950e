/* diff.h -- two texts compared word by word. Pure. */
#ifndef DUET_APP_DIFF_H
#define DUET_APP_DIFF_H

#include "ui/buf.h"

/* Appends lines that begin with ' ' (in both), '-' (in a alone) or '+' (in b alone), each a run of
 * words; a run that spans a line end is cut there. Nothing of either text is lost but the kind of
 * blanks between words. Texts that differ over more than some 4,000 words on both sides are not
 * compared inside that stretch. */
void diff_words(struct buf *out, const char *a, const char *b);

#endif
