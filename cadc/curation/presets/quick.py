"""`quick`: the rules of `studio` by the signals that need no gradient (METHOD §3). A study of this preset computes
gradients only when asked to; the preset itself can be chosen on every study."""

from dataclasses import replace

from cadc.curation.presets.studio import PRESET as STUDIO

PRESET = replace(
    STUDIO, name="quick", near="quick",
    about="the rules of studio by signals that need no gradient: two forwards of the base instead of a training with "
          "all its gradients",
    measures="against single target questions by the signals without gradients, the best of a capability's units")
