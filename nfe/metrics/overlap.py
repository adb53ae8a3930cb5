"""Do two sets of codes come from one distribution? A classifier tries to tell them apart."""

import numpy as np

__all__ = ["overlap_auc"]


def overlap_auc(
    codes: np.ndarray,
    others: np.ndarray,
    groups: np.ndarray,
    other_groups: np.ndarray,
    num_folds: int,
    random: np.random.Generator,
) -> float:
    """Area under the ROC curve of a cross-validated two-sample classifier.

    Logistic regression over each coordinate and its square, standardised: so a shift shows and
    a difference of spread as well. Each code is scored by a classifier that saw no code of its
    group.

    Args:
        codes: First set, [N, D].
        others: Second set, [M, D].
        groups: Group of each code, such as its picture, [N]; a group is in one fold only.
        other_groups: Groups of the second set, [M], apart from those of the first.
        num_folds: Folds of the cross-validation.
        random: Deals the groups to the folds.

    Returns:
        Around 0.5 if the sets overlap, up to 1 if they can be told apart.

    Raises:
        ValueError: If a set has fewer groups than folds.

    Source: Lopez-Paz and Oquab 2017 (classifier two-sample tests); AUC in place of accuracy.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = np.concatenate(
        [_folds(members, num_folds, random) for members in (groups, other_groups)]
    )
    x = np.concatenate([codes, others]).astype(np.float64)
    y = np.concatenate([np.ones(len(codes)), np.zeros(len(others))])
    scores = np.empty(len(y))
    for fold in range(num_folds):
        train, test = folds != fold, folds == fold
        scaler = StandardScaler().fit(x[train])
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=1000, class_weight="balanced")
        )
        model.fit(_with_squares(scaler.transform(x[train])), y[train])
        scores[test] = model.decision_function(_with_squares(scaler.transform(x[test])))
    return float(roc_auc_score(y, scores))


def _with_squares(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x, x**2], axis=1)


def _folds(groups: np.ndarray, num_folds: int, random: np.random.Generator) -> np.ndarray:
    """Deal the groups evenly to the folds: fold of each member, [N]."""
    names, inverse = np.unique(groups, return_inverse=True)
    if len(names) < num_folds:
        raise ValueError(f"groups must be at least num_folds = {num_folds}, got {len(names)}")
    return (random.permutation(len(names)) % num_folds)[inverse]
