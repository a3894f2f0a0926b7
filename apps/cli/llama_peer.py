# SPDX-License-Identifier: Apache-2.0
"""What `handeye bench engine` measures, measured of llama.cpp by its own interface in C (llama-cpp-python); the same lines of JSON.

Arguments: model, projector or "", picture or "", threads.
"""
import ctypes
import json
import resource
import sys
import time

TEXT_TOKENS, NEW_TOKENS, REPEATS, LONG_ENOUGH_S, CONTEXT = 512, 64, 5, 60, 16384

try:
    import llama_cpp as ll
    from llama_cpp import mtmd_cpp as mt
except ImportError as problem:
    sys.exit(f"{sys.executable} has no llama_cpp ({problem}): {sys.executable} -m pip install llama-cpp-python")


def say(name, value, unit):
    print(json.dumps({"name": name, "value": value, "unit": unit}), flush=True)


def must(what, result):
    if not result:
        sys.exit(f"llama.cpp: {what} failed")
    return result


def repeat(once):
    """The median of what `once` gives, as handeye's own bench repeats it: the first does not count where there is time for others."""
    begin = time.perf_counter()
    runs = [once()]
    if time.perf_counter() - begin <= LONG_ENOUGH_S:
        runs = []
        while not runs or (len(runs) < REPEATS and time.perf_counter() - begin < LONG_ENOUGH_S):
            runs.append(once())
    return [sorted(column)[len(column) // 2] for column in zip(*runs)]


def main():
    model_path, projector_path, picture, threads = sys.argv[1].encode(), sys.argv[2].encode(), sys.argv[3].encode(), int(sys.argv[4])
    silent = ll.llama_log_callback(lambda *_: None)
    ll.llama_log_set(silent, ctypes.c_void_p(0))
    mt.mtmd_log_set(silent, ctypes.c_void_p(0))
    mt.mtmd_helper_log_set(silent, ctypes.c_void_p(0))
    begin = time.perf_counter()
    ll.llama_backend_init()
    loading = ll.llama_model_default_params()
    loading.n_gpu_layers = 0
    model = must("loading the model", ll.llama_model_load_from_file(model_path, loading))
    options = ll.llama_context_default_params()
    options.offload_kqv = options.op_offload = False
    options.n_ctx, options.n_threads, options.n_threads_batch = CONTEXT, threads, threads
    context = must("making a context", ll.llama_init_from_model(model, options))
    vision = None
    if projector_path:
        wanted = mt.mtmd_context_params_default()
        wanted.use_gpu, wanted.n_threads, wanted.print_timings, wanted.warmup = False, threads, False, False
        vision = must("loading the projector", mt.mtmd_init_from_file(projector_path, model, wanted))
    say("load", (time.perf_counter() - begin) * 1e3, "ms")

    def forget():
        ll.llama_memory_clear(ll.llama_get_memory(context), True)

    def decode(ids):
        tokens = (ll.llama_token * len(ids))(*ids)
        if ll.llama_decode(context, ll.llama_batch_get_one(tokens, len(ids))) != 0:
            sys.exit("llama.cpp: llama_decode failed")
        ll.llama_synchronize(context)

    nothing_after = mt.mtmd_helper_post_decode_callback(0)
    vocabulary = ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model))

    def text():
        forget()
        start = time.perf_counter()
        decode([7 * i % vocabulary for i in range(TEXT_TOKENS)])
        prefill = time.perf_counter() - start
        times = []
        for i in range(NEW_TOKENS):
            start = time.perf_counter()
            decode([11 * i % vocabulary])
            times.append(time.perf_counter() - start)
        return prefill, sorted(times)[NEW_TOKENS // 2]

    prefill, token = repeat(text)
    say("prefill", TEXT_TOKENS / prefill, "tokens/s")
    say("decode", 1 / token, "tokens/s")

    def screenshot():
        forget()
        start = time.perf_counter()
        bitmap = must(f"reading {sys.argv[3]}", mt.mtmd_helper_bitmap_init_from_file(vision, picture, False))
        bitmap = getattr(bitmap, "bitmap", bitmap)
        asked = mt.mtmd_input_text()
        asked.text, asked.add_special, asked.parse_special = b"Click Save. " + mt.mtmd_default_marker(), True, True
        asked.text_len = len(asked.text)
        chunks = mt.mtmd_input_chunks_init()
        if mt.mtmd_tokenize(vision, chunks, ctypes.byref(asked), (mt.mtmd_bitmap_p_ctypes * 1)(bitmap), 1) != 0:
            sys.exit("llama.cpp: mtmd_tokenize failed")
        past, seeing = ll.llama_pos(0), 0.0
        count = mt.mtmd_input_chunks_size(chunks)
        for i in range(count):
            chunk = mt.mtmd_input_chunks_get(chunks, i)
            after = ll.llama_pos(0)
            if mt.mtmd_input_chunk_get_type(chunk) == mt.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                looked = time.perf_counter()
                if mt.mtmd_encode_chunk(vision, chunk) != 0:
                    sys.exit("llama.cpp: mtmd_encode_chunk failed")
                seeing += time.perf_counter() - looked
                bad = mt.mtmd_helper_decode_image_chunk(vision, context, chunk, mt.mtmd_get_output_embd(vision), past, 0, options.n_batch, ctypes.byref(after),
                                                          nothing_after, ctypes.c_void_p(0))
            else:
                bad = mt.mtmd_helper_eval_chunk_single(vision, context, chunk, past, 0, options.n_batch, i + 1 == count, ctypes.byref(after))
            if bad:
                sys.exit("llama.cpp: a part of the prompt cannot be computed")
            past = after
        ll.llama_synchronize(context)
        took = time.perf_counter() - start
        mt.mtmd_input_chunks_free(chunks)
        mt.mtmd_bitmap_free(bitmap)
        return took, seeing

    if vision and picture:
        first, seeing = repeat(screenshot)
        say("first_token", first * 1e3, "ms")
        say("vision", seeing * 1e3, "ms")
    say("peak_memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, "GB")


main()
