# duet -- see README.md. `make help` lists the targets.
#
# Source lists are written out: a file not listed does not exist. Objects go to build/, and to
# build/<san>/ for a sanitizer variant (SAN=address,undefined or SAN=thread). Nothing here needs
# more than make: the targets call app/packages.sh for the Debian packages first.

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS  ?= -O3 -g
LDFLAGS ?=
PREFIX  ?= /usr/local
SAN     ?=
V       ?=

# For `make chat`: a short name of app/models.def or a GGUF file, and options of duet.
MODEL ?= smollm2-135m
ARGS  ?=

.DEFAULT_GOAL := all
MAKEFLAGS += -r

# ---- the rooms --------------------------------------------------------------------------------

ENGINE_TEXT := engine/err.c engine/mapfile.c engine/gguf.c engine/parts.c engine/pretok.c engine/vocabulary.c \
	engine/merge.c engine/bpe.c engine/spm.c engine/tokenizer.c engine/utf8.c engine/chat.c
ENGINE_MATH := engine/mem.c engine/cpu.c engine/quant.c engine/kernels.c engine/kernels_c.c engine/pool.c \
	engine/peaks.c engine/matmul.c engine/experts.c engine/bind.c engine/model.c engine/attention.c engine/dense.c \
	engine/deepseek4_bind.c engine/deepseek4_attn.c engine/deepseek4.c \
	engine/codec.c engine/spool.c engine/kv.c engine/kv_far.c engine/kv_exact.c engine/kv_bias.c \
	engine/kv_read.c engine/kv_indexed.c engine/kv_deepseek4.c engine/kv_file.c \
	engine/sampler.c engine/seen.c engine/lookup.c engine/session.c engine/batch.c engine/engine.c engine/inspect.c engine/bandwidth.c
ifeq ($(shell uname -m),x86_64)
ENGINE_MATH += engine/kernels_avx2.c engine/kernels_avx2_attention.c engine/kernels_avx2_codec.c \
	engine/kernels_avxvnni.c engine/kernels_avx512.c engine/kernels_avx512_floats.c engine/kernels_avx512_codec.c \
	engine/kernels_amx.c engine/kernels_amx_attention.c
MODELS := engine/kernels_avxvnni.c engine/kernels_avx512.c engine/kernels_avx512_floats.c engine/kernels_avx512_codec.c engine/kernels_amx.c engine/kernels_amx_attention.c
else
FOREIGN := engine/kernels_lanes.h engine/kernels_exp.h engine/kernels_rows.h engine/kernels_reduce.h engine/kernels_unpack.h engine/kernels_product.h engine/kernels_few.h engine/kernels_vnni.h engine/kernels_tiles.h tests/kernels_model.h
endif
ENGINE := $(ENGINE_TEXT) $(ENGINE_MATH)

UI := ui/buf.c ui/text.c ui/key.c ui/decode.c ui/keymap.c ui/overmap.c ui/keyfile.c ui/grid.c ui/theme.c ui/wrap.c \
	ui/code.c ui/rows.c ui/table.c ui/boundary.c ui/markdown.c ui/find.c \
	ui/transcript.c ui/field.c ui/list.c ui/strip.c ui/status.c ui/layout.c ui/screen.c ui/term.c ui/clip.c ui/history.c ui/editor.c

APP_STORE := app/json.c app/record.c app/paths.c app/log.c app/conversation.c app/doubt.c app/made.c app/lock.c app/store.c app/options.c app/tier.c app/mode.c app/setting.c app/mode_config.c
APP_CHOOSE := app/words.c app/pattern.c app/piece.c app/demand.c app/demand_read.c app/check.c \
	app/answer.c app/vote.c app/choose.c app/suggest.c app/merge.c app/signs.c
APP_RUN   := app/event.c app/flow.c app/out.c app/open.c app/turn.c app/likely.c app/strand.c app/candidates.c app/both.c app/kept.c app/aside.c app/replay.c app/local.c app/worker.c app/tray.c \
	app/talk.c app/fit.c app/fold.c app/repro.c app/set.c app/command.c app/export.c app/import.c app/search.c app/diff.c \
	app/program.c app/aloud.c \
	app/oneshot.c app/plain.c app/signals.c app/subcommand.c app/shell.c app/bench.c app/bench_lookup.c app/bench_batch.c app/bench_toggle.c app/kv.c app/recall.c app/gate.c app/inspect.c app/trace.c
APP_SCREEN := app/loop.c app/shown.c app/overlay.c app/sessions.c app/panes.c app/copy.c app/attach.c app/tally.c app/reader.c app/outside.c app/complete.c \
	app/look.c app/themes.c app/slices.c \
	app/tray_view.c app/doubt_view.c app/cost.c
APP := $(APP_STORE) $(APP_CHOOSE) $(APP_RUN) $(APP_SCREEN)

TESTS_ENGINE := $(wildcard tests/engine_*.c)
TESTS_UI     := $(wildcard tests/ui_*.c)
TESTS_APP    := $(wildcard tests/app_*.c)

# ---- flags ------------------------------------------------------------------------------------

PKGS_ENGINE := openblas libpcre2-8 libutf8proc libxxhash
PKGS_UI     := ncursesw libedit libutf8proc libcjson md4c
PKGS_APP    := libcjson libxxhash
PKGS_TEST   := cmocka

comma := ,
BUILD := build$(if $(SAN),/$(subst $(comma),-,$(SAN)))
Q     := $(if $(V),,@)
WARN  := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wwrite-strings -Werror
BASE  := -std=c11 -D_XOPEN_SOURCE=700 -D_DEFAULT_SOURCE -D_FILE_OFFSET_BITS=64 -I. $(WARN) -pthread \
	$(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)

# pkg-config runs when the first object is made, not before: `make help` needs no packages. A
# variable that defines itself anew keeps the answer. ncursesw asks for an older _XOPEN_SOURCE.
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(filter-out -D_XOPEN_SOURCE=% -D_DEFAULT_SOURCE,\
	$(call pkg,--cflags,$(PKGS_ENGINE) $(PKGS_UI) $(PKGS_APP))))$(PKG_CFLAGS)
LIBS_ENGINE = $(eval LIBS_ENGINE := $(call pkg,--libs,$(PKGS_ENGINE)) -lm)$(LIBS_ENGINE)
LIBS_UI     = $(eval LIBS_UI := $(call pkg,--libs,$(PKGS_UI)) -lutil)$(LIBS_UI)
LIBS_APP    = $(eval LIBS_APP := $(call pkg,--libs,$(PKGS_APP)))$(LIBS_APP)
LIBS_TEST   = $(eval LIBS_TEST := $(call pkg,--libs,$(PKGS_TEST)))$(LIBS_TEST)

COMPILE = $(CC) $(BASE) $(PKG_CFLAGS) $(CFLAGS)
LINK    = $(COMPILE) $(LDFLAGS) -Wl,--build-id -o $@ $(filter %.o,$^)

# As many jobs as there are CPUs for the makes that the targets below start, unless -j was given.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
AGAIN = $(MAKE) --no-print-directory $(JOBS)

# ---- programs ---------------------------------------------------------------------------------

.PHONY: all need chat bench test programs screen-bench fuzz check-kernels lint install clean help

all: $(BUILD)/duet $(BUILD)/probe ## build the program, build/duet, and the test tool, build/probe

obj   = $(1:%.c=$(BUILD)/%.o)
DUET  := $(call obj,app/main.c $(APP) $(UI) $(ENGINE))
PROBE := $(call obj,tests/probe.c $(ENGINE))
T_ENG := $(call obj,tests/run_engine.c $(TESTS_ENGINE) $(ENGINE))
BENCH_SCREEN := $(call obj,tests/screen_bench.c $(UI))
TRY_SCREEN := tests/screen_try.c tests/hostile.c
TRY_STORE := tests/store_try.c $(TRY_SCREEN)
T_UI  := $(call obj,tests/run_ui.c tests/hostile.c $(TESTS_UI) $(UI))
T_APP := $(call obj,tests/run_app.c $(TRY_STORE) $(TESTS_APP) $(APP) $(UI) $(ENGINE))

# Calls that tests/fault.c makes fail in the test programs.
FAULTS := malloc calloc realloc aligned_alloc mmap64 open64 openat64 write pwrite64 ftruncate64 fsync \
	rename renameat mkdir flock
$(BUILD)/tests/engine $(BUILD)/tests/app: LDFLAGS += $(FAULTS:%=-Wl,--wrap=%)
T_ENG += $(BUILD)/tests/fault.o
T_APP += $(BUILD)/tests/fault.o
T_ENG += $(MODELS:engine/%.c=$(BUILD)/tests/model_%.o)
CHECK_KERNELS := $(call obj,tests/check_kernels.c $(filter engine/mem.c engine/cpu.c \
	engine/quant.c engine/codec.c engine/kernels%,$(ENGINE)))

$(BUILD)/duet: $(DUET)
	$(Q)$(LINK) $(LIBS_ENGINE) $(LIBS_UI) $(LIBS_APP)
$(BUILD)/probe: $(PROBE)
	$(Q)$(LINK) $(LIBS_ENGINE) $(LIBS_APP)
$(BUILD)/figures: $(call obj,tests/figures.c $(ENGINE))
	$(Q)$(LINK) $(LIBS_ENGINE)
$(BUILD)/tests/engine: $(T_ENG)
	$(Q)$(LINK) $(LIBS_ENGINE) $(LIBS_APP) $(LIBS_TEST)
$(BUILD)/tests/ui: $(T_UI)
	$(Q)$(LINK) $(LIBS_UI) $(LIBS_TEST)
$(BUILD)/tests/screen_bench: $(BENCH_SCREEN)
	$(Q)$(LINK) $(LIBS_UI)
$(BUILD)/tests/app: $(T_APP)
	$(Q)$(LINK) $(LIBS_ENGINE) $(LIBS_UI) $(LIBS_APP) $(LIBS_TEST)

$(BUILD)/%.o: %.c Makefile | need
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $<")
	$(Q)$(COMPILE) $(ISA) -MMD -MP -c -o $@ $<

AVX2 := -mavx2 -mfma -mf16c
$(BUILD)/engine/kernels_avx2.o $(BUILD)/engine/kernels_avx2_attention.o: ISA := $(AVX2)
AVX512 := $(AVX2) -mavx512f -mavx512bw -mavx512vl -mavx512vnni
$(BUILD)/engine/kernels_avxvnni.o: ISA := $(AVX2) -mavxvnni
$(BUILD)/engine/kernels_avx512.o $(BUILD)/engine/kernels_avx512_codec.o: ISA := $(AVX512)
$(BUILD)/engine/kernels_avx512_floats.o: ISA := $(AVX512) -mprefer-vector-width=512
$(BUILD)/engine/kernels_amx.o $(BUILD)/engine/kernels_amx_attention.o: ISA := $(AVX512) -mavx512bf16 -mamx-tile -mamx-bf16 -mprfchw
# With every function inlined the sanitizers' checks take minutes to compile.
$(MODELS:%.c=$(BUILD)/%.o) $(BUILD)/engine/kernels_avx2.o: ISA += $(if $(SAN),-O1 -DINLINE='static inline')
$(BUILD)/engine/kernels_avx2_codec.o: ISA := $(AVX2)

# Sets of kernels once more, the instructions that this machine may lack written out in C.
$(MODELS:engine/%.c=$(BUILD)/tests/model_%.o): $(BUILD)/tests/model_%.o: engine/%.c Makefile | need
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC  $< (model)")
	$(Q)$(COMPILE) -O1 $(AVX2) -Wno-psabi -DINLINE='static inline' -include tests/kernels_model.h -MMD -MP -c -o $@ $<

# The themes are compiled in: a row {"name", "text of the file"} for each.
THEMES := $(sort $(wildcard themes/*.json))
$(BUILD)/ui/themes.inc: $(THEMES) Makefile
	@mkdir -p $(@D)
	@for f in $(THEMES); do \
		echo "{\"$$(basename $$f .json)\","; \
		sed 's/[\\"]/\\&/g; s/.*/ "&\\n"/' $$f; \
		echo '},'; \
	done > $@
$(BUILD)/ui/theme.o: BASE += -I$(BUILD)
$(BUILD)/ui/theme.o: $(BUILD)/ui/themes.inc

# So are the texts that `duet kv` reads: prose, code, and what repeats itself. They do not change, so
# that what is measured can be compared.
TEXTS := prose code copy
$(BUILD)/app/texts.inc: $(TEXTS:%=app/texts/%.txt) Makefile
	@mkdir -p $(@D)
	@{ $(foreach t,$(TEXTS),echo '{"$(t)",'; \
		sed 's/[\\"]/\\&/g; s/.*/ "&\\n"/' app/texts/$(t).txt; echo '},';) } > $@
$(BUILD)/app/kv.o: BASE += -I$(BUILD)
$(BUILD)/app/kv.o: $(BUILD)/app/texts.inc

need:
	@DUET_NO_INSTALL=1 app/packages.sh build || \
		{ echo "duet: \`make chat\` and \`make test\` install them, app/packages.sh does alone" >&2; false; }

-include $(patsubst %.o,%.d,$(sort $(DUET) $(PROBE) $(T_ENG) $(T_UI) $(T_APP) $(CHECK_KERNELS)))
-include $(wildcard $(BUILD)/tests/fuzz_*.d)

# ---- what a newcomer types --------------------------------------------------------------------

chat: ## install what is missing, build, fetch the model (MODEL=NAME|FILE) and open the chat (ARGS=)
	@app/packages.sh build fetch
	@$(AGAIN) $(BUILD)/duet
	@$(if $(findstring /,$(MODEL)),,app/fetch.sh $(MODEL))
	@exec $(BUILD)/duet $(if $(filter file,$(origin MODEL)),,--model $(MODEL)) $(ARGS)

bench: ## the figures asked for, beside llama.cpp's and OpenVINO GenAI's packages where they are (MODEL= ARGS=)
	@app/packages.sh build
	@$(AGAIN) $(BUILD)/duet
	@$(if $(findstring /,$(MODEL)),,app/fetch.sh $(MODEL))
	@BUILD=$(BUILD) tests/bench.py $(if $(filter file,$(origin MODEL)),,--model $(MODEL)) $(ARGS)

# ---- checks -----------------------------------------------------------------------------------

PROGRAMS := $(BUILD)/tests/engine $(BUILD)/tests/ui $(BUILD)/tests/app
SCRIPTS  := $(wildcard tests/*_test.sh tests/*_test.py)

test: ## install what is missing, build and run all tests that need no model and no network
	@app/packages.sh build test
	@$(AGAIN) programs $(BUILD)/duet $(BUILD)/probe
	@BUILD=$(BUILD) tests/run.sh $(PROGRAMS) $(SCRIPTS)

programs: $(PROGRAMS)

screen-bench: $(BUILD)/tests/screen_bench $(BUILD)/duet ## what the screen costs, beside its limits
	@BUILD=$(BUILD) tests/screen_bench.sh

# The fuzzers of tests/fuzz_*.c, by clang, each for SECONDS, or with RUNS short inputs: for many of
# those FUZZ_FLAGS='-O2 -g -fno-sanitize-coverage=trace-cmp' is three times as fast. They begin with tests/corpus/ and with the
# beginnings of the fixtures, as they are and without tensors; what is new goes to
# build/fuzz/corpus/, what is a fault to build/fuzz/.
FUZZERS := $(patsubst tests/%.c,build/fuzz/%,$(wildcard tests/fuzz_*.c))
SECONDS ?= 60
RUNS ?=
FUZZ_FLAGS ?= -O2 -g
FUZZ_HOW = $(if $(RUNS),-runs=$(RUNS) -max_len=64 -entropic=0,-max_total_time=$(SECONDS) -max_len=16384)

fuzz: ## run the fuzzers with clang, SECONDS=60 each or RUNS=n (FUZZERS= FUZZ_FLAGS=)
	@app/packages.sh build fuzz
	@$(AGAIN) CC=clang CFLAGS='$(FUZZ_FLAGS)' BUILD=build/fuzz SAN=fuzzer-no-link,address,undefined $(FUZZERS)
	@mkdir -p build/fuzz/seeds
	@for f in tests/fixtures/*.gguf tests/fixtures/vocab/spm*.gguf; do \
		seed=build/fuzz/seeds/$$(basename $$f); \
		head -c 16384 $$f > $$seed; \
		{ head -c 8 $$seed; head -c 8 /dev/zero; tail -c +17 $$seed; } > $$seed.header; \
	done
	@for f in $(FUZZERS); do \
		own=$$(basename $$f); mkdir -p build/fuzz/corpus/$$own tests/corpus/$$own; \
		[ $$own = fuzz_gguf ] && seeds=build/fuzz/seeds || seeds=; \
		$$f $(FUZZ_HOW) -print_final_stats=1 \
			-artifact_prefix=build/fuzz/ build/fuzz/corpus/$$own tests/corpus/$$own $$seeds || exit; \
	done

# A fuzzer has the rooms it needs and no more: after each try all counters of the program are looked at.
FUZZ_UI := $(addprefix build/fuzz/fuzz_,keys markdown theme keyfile)
FUZZ_ENGINE := $(addprefix build/fuzz/fuzz_,gguf text)
$(FUZZ_UI): $(call obj,$(TRY_SCREEN) $(UI))
$(FUZZ_ENGINE): $(call obj,tests/engine_try.c $(ENGINE))
$(filter-out $(FUZZ_UI) $(FUZZ_ENGINE),$(FUZZERS)): $(call obj,$(TRY_STORE) $(APP) $(UI) $(ENGINE))
build/fuzz/fuzz_%: build/fuzz/tests/fuzz_%.o
	$(Q)$(LINK) -fsanitize=fuzzer $(LIBS_ENGINE) $(LIBS_UI) $(LIBS_APP)

# tests/run.h is a main program, included once with TESTS defined.
HEADERS := $(filter-out tests/run.h $(FOREIGN),$(wildcard engine/*.h ui/*.h app/*.h tests/*.h))

$(BUILD)/check_kernels: $(CHECK_KERNELS)
	$(Q)$(LINK) -lm

check-kernels: ## check every set of kernels that this machine has, and show how fast each is
	@app/packages.sh build test
	@$(AGAIN) $(BUILD)/tests/engine $(BUILD)/check_kernels
	@$(BUILD)/tests/engine '*kernels*'
	@$(BUILD)/check_kernels

lint: ## check the doors between the rooms, headers, style and man page; print function lengths
	@app/packages.sh build test
	@tests/deps.sh
	@$(foreach h,$(HEADERS),$(COMPILE) $(if $(filter engine/kernels_% tests/kernels_%,$(h)),$(AVX2)) \
		$(if $(filter %_few.h %_tiles.h,$(h)),$(AVX512) -mavx512bf16) -fsyntax-only -x c $(h) &&) true
	@tests/length.sh

install: $(BUILD)/duet ## copy program, man pages and completions under PREFIX (default /usr/local)
	install -D -m 755 $(BUILD)/duet $(DESTDIR)$(PREFIX)/bin/duet
	for n in 1 5; do \
		install -d $(DESTDIR)$(PREFIX)/share/man/man$$n && \
			install -m 644 man/*.$$n $(DESTDIR)$(PREFIX)/share/man/man$$n/ || exit 1; \
	done
	for to in bash:bash-completion/completions/duet zsh:zsh/site-functions/_duet \
		fish:fish/vendor_completions.d/duet.fish; do \
		install -d $$(dirname $(DESTDIR)$(PREFIX)/share/$${to#*:}) && \
			$(BUILD)/duet completion $${to%%:*} > $(DESTDIR)$(PREFIX)/share/$${to#*:} || exit 1; \
	done

clean: ## remove build/
	rm -rf build

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' Makefile | \
		while IFS='|' read -r name text; do printf '%-13s %s\n' "$$name" "$$text"; done
	@echo "Variables: CC CFLAGS LDFLAGS PREFIX SAN=address,undefined|thread V=1"
