"""Compile every kernel for a GPU that need not be there, and print what became of it: one JSON object by kernel.

`python -m tests.reversible.compile_kernels`, without TRITON_INTERPRET; used by test_fused.py.
"""

import json

import triton
from triton import language
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from bench.reversible import addition_kernels, kernels

H100 = GPUTarget("cuda", 90, 32)
MULTIPLE_OF_16 = [["tt.divisibility", 16]]
GIVEN = {"SLOPE": 0.2, "INVERSE": 5.0, "STEPS": 4, "TYPE": language.float32, "TIMES": -1.0}
GIVEN |= {"STEP": 2.0**-12, "LIMIT": 2.0**12, "PIXELS": 2048, "CHANNELS": 1, "SIZE": 2048}


def compiled(kernel, **constants):
    """The kernel for float32 activations with channels first, as their launch would ask for it."""
    signature, values, attributes = {}, {}, {}
    for at, name in enumerate(kernel.arg_names):
        attributes[(at,)] = MULTIPLE_OF_16
        if name in constants:
            signature[name], values[(at,)] = "constexpr", constants[name]
        elif name.endswith("_strides"):
            signature[name], values[(at, 2)] = ("i32", "i32", "constexpr"), 1
            attributes |= {(at, 0): MULTIPLE_OF_16, (at, 1): MULTIPLE_OF_16}
        elif name in ("channels", "area", "pixels", "values"):
            signature[name] = "i32"
        else:
            signature[name] = {"sums": "*fp64", "found": "*fp64", "overflows": "*i64"}.get(name, "*fp32")
    source = ASTSource(fn=kernel, signature=signature, constexprs=values, attrs=attributes)
    return triton.compile(source, target=H100).asm


if __name__ == "__main__":
    found = {}
    passes = (kernels.scale_and_shift, kernels.gradient_sums, kernels.pull_back, kernels.moments)
    additions = (addition_kernels.add_activated, addition_kernels.add_multiples, addition_kernels.add)
    for kernel in (*passes, *additions):
        made = compiled(kernel, **{key: value for key, value in GIVEN.items() if key in kernel.arg_names})
        reads = {words: made["ptx"].count(words) for words in ("ld.global.v4.b32", "st.global.v4.b32", "fma.rn.f32")}
        found[kernel.__name__] = {"machine_code_bytes": len(made["cubin"]), **reads}
    print(json.dumps(found))
