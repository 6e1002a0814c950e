# duet -- see README.md. `make help` lists the targets.
#
# Source lists are written out: a file not listed does not exist. Objects go to build/, and to
# build/<san>/ for a sanitizer variant (SAN=address,undefined or SAN=thread).

CC      ?= gcc
CFLAGS  ?= -O3 -g
LDFLAGS ?=
PREFIX  ?= /usr/local
SAN     ?=
V       ?=

.DEFAULT_GOAL := all
MAKEFLAGS += -r

# ---- the rooms --------------------------------------------------------------------------------

ENGINE_TEXT := engine/err.c engine/mapfile.c engine/gguf.c engine/pretok.c engine/tokenizer.c \
	engine/utf8.c engine/chat.c
ENGINE_MATH := engine/mem.c engine/cpu.c engine/quant.c engine/kernels.c engine/kernels_c.c engine/pool.c \
	engine/matmul.c engine/model.c engine/attention.c engine/dense.c engine/kv.c engine/kv_file.c \
	engine/sampler.c engine/session.c engine/engine.c
ENGINE := $(ENGINE_TEXT) $(ENGINE_MATH)

UI := ui/buf.c ui/text.c ui/key.c ui/keymap.c ui/grid.c ui/theme.c ui/wrap.c ui/transcript.c \
	ui/list.c ui/status.c ui/layout.c ui/screen.c ui/term.c ui/editor.c

APP_STORE := app/json.c app/paths.c app/log.c app/conversation.c app/store.c app/options.c app/mode.c
APP_RUN   := app/event.c app/turn.c app/local.c app/worker.c app/talk.c app/oneshot.c app/plain.c app/loop.c app/trace.c
APP := $(APP_STORE) $(APP_RUN)

TESTS_ENGINE := $(wildcard tests/engine_*.c)
TESTS_UI     := $(wildcard tests/ui_*.c)
TESTS_APP    := $(wildcard tests/app_*.c)

# ---- flags ------------------------------------------------------------------------------------

PKGS_ENGINE := openblas libpcre2-8 libutf8proc libxxhash
PKGS_UI     := ncursesw libedit libutf8proc libcjson
PKGS_APP    := libcjson libxxhash
PKGS_TEST   := cmocka

BUILD := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
comma := ,
Q     := $(if $(V),,@)
WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Werror
BASE  := -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -I. $(WARN) -pthread \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
BASE  += $(shell pkg-config --cflags $(PKGS_ENGINE) $(PKGS_UI) $(PKGS_APP) $(PKGS_TEST) 2>/dev/null)
LIBS_ENGINE := $(shell pkg-config --libs $(PKGS_ENGINE) 2>/dev/null) -lm
LIBS_UI     := $(shell pkg-config --libs $(PKGS_UI) 2>/dev/null) -lutil
LIBS_APP    := $(shell pkg-config --libs $(PKGS_APP) 2>/dev/null)
LIBS_TEST   := $(shell pkg-config --libs $(PKGS_TEST) 2>/dev/null)

obj = $(1:%.c=$(BUILD)/%.o)

# ---- programs ---------------------------------------------------------------------------------

.PHONY: all chat test lint bench clean help
all: build/duet build/probe

$(BUILD)/duet: $(call obj,app/main.c $(APP) $(UI) $(ENGINE))
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_ENGINE) $(LIBS_UI) $(LIBS_APP)
$(BUILD)/probe: $(call obj,tests/probe.c $(ENGINE))
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_ENGINE) $(LIBS_APP)
$(BUILD)/tests/engine: $(call obj,tests/run_engine.c $(TESTS_ENGINE) $(ENGINE))
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_ENGINE) $(LIBS_APP) $(LIBS_TEST)
$(BUILD)/tests/ui: $(call obj,tests/run_ui.c $(TESTS_UI) $(UI))
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_UI) $(LIBS_TEST)
$(BUILD)/tests/app: $(call obj,tests/run_app.c $(TESTS_APP) $(APP) $(UI) $(ENGINE))
	$(Q)$(CC) $(BASE) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_ENGINE) $(LIBS_UI) $(LIBS_APP) $(LIBS_TEST)

$(BUILD)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $<")
	$(Q)$(CC) $(BASE) $(CFLAGS) $(ISA) -MMD -MP -c -o $@ $<

-include $(shell find build -name '*.d' 2>/dev/null)

clean:
	rm -rf build
