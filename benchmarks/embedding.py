"""What the untrained base makes of a sample: its last hidden state, the usual rival of gradients."""

import numpy as np

from cadc.study import Study

BATCH = 64


def embeddings(study: Study, role: str, index: np.ndarray) -> np.ndarray:
    """float32 [len(index), W]: mean over all tokens (pictures, question, answer) of the base's last hidden state.

    index: positions in the pool or target file, all of rows that can be encoded.
    """
    import torch

    from cadc.vlm import best_device, load_vlm, prefix
    from cadc.vlm.feed import Feed

    vlm = load_vlm(study.config.model, device=best_device(), max_tokens=study.config.max_tokens)
    feed = Feed(study, role, vlm)
    row_of = {sample.index: row for row, sample in enumerate(feed.samples)}
    place = {row_of[int(i)]: n for n, i in enumerate(index)}
    order = feed.by_length(list(place))
    out: np.ndarray | None = None
    for start in range(0, len(order), BATCH):
        rows = order[start:start + BATCH]
        batch = vlm.collate([feed.encode(row) for row in rows])
        given = prefix(vlm, batch)
        with torch.no_grad():
            hidden = vlm.decoder(*given.args, **given.kwargs)[0].float()  # [B, L, W]
        real = batch.inputs["attention_mask"][:, :, None].to(hidden.dtype)
        means = ((hidden * real).sum(1) / real.sum(1)).cpu().numpy()
        out = np.empty((len(index), means.shape[1]), np.float32) if out is None else out
        out[[place[row] for row in rows]] = means
    return out
