"""Gradients with respect to the states of a fitted estimator."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from seqpipe import (
    Cell,
    Forecaster,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    SequenceScaler,
    SequenceTranslator,
    StepRegressor,
    WindowedRegressor,
)
from seqpipe.diagnostics import gradient_flow
from seqpipe.diagnostics._gradient_flow import GradientFlow
from seqpipe.diagnostics._recording import Layer


class ScalarCell(Cell):
    """h_t = ReLU(w_h h_{t-1} + 0 x_t), from h_0 = 1."""

    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.w_h = torch.nn.Parameter(torch.ones(()))

    def initial_state(self, batch_size):
        return torch.ones(batch_size, 1, dtype=self.w_h.dtype)

    def step(self, x_t, h):
        h = torch.relu(self.w_h * h + 0 * x_t)
        return h, h


def scalar_net(w_h, n_timesteps, dtype="float64"):
    """Return the network y = w_y h_L with these weights, and one sequence whose target is the prediction minus one."""
    X = np.zeros((2, n_timesteps, 1))
    model = SequenceRegressor(
        ScalarCell, hidden_size=1, pooling="last", scale_inputs=False, max_epochs=1, dtype=dtype, random_state=0
    ).fit(X, [-1.0, 1.0])  # mean 0 and standard deviation 1: targets are not rescaled
    with torch.no_grad():
        model.net_.module_.recurrent.cells[0].w_h.fill_(w_h)
        model.net_.module_.head.weight.fill_(1.0)
        model.net_.module_.head.bias.fill_(0.0)
    return model, X[:1], model.predict(X[:1]) - 1


def printed(value):
    return f"{value:.6g}"


@pytest.mark.parametrize("n_timesteps", [1, 2, 3, 4, 5, 10])
@pytest.mark.parametrize("w_h", [0.1, 1.0, 10.0])
def test_the_scalar_nets_gradients_are_the_tables(w_h, n_timesteps):
    model, X, y = scalar_net(w_h, n_timesteps)
    flow = gradient_flow(model, X, y)
    assert printed(flow.initial_norms[0]) == printed(2 * w_h**n_timesteps)
    back = np.arange(n_timesteps)[::-1]
    assert [printed(norm) for norm in flow.norms[0]] == [printed(2 * w_h**k) for k in back]

    module, samples = model.net_.module_, model.as_samples(X, y)
    [(inputs, targets)] = model.net_.get_iterator(samples)
    loss = model.net_.get_loss(model.net_.infer(inputs), targets, X=inputs)
    by_w_h, by_w_y = torch.autograd.grad(loss, [module.recurrent.cells[0].w_h, module.head.weight])
    assert printed(by_w_h.item()) == printed(2 * n_timesteps * w_h ** (n_timesteps - 1))
    assert printed(by_w_y.item()) == printed(2 * w_h**n_timesteps)


def test_in_float32_the_target_rounds_to_the_prediction_and_no_gradient_is_left():
    flow = gradient_flow(*scalar_net(10.0, 10, dtype="float32"))
    assert (flow.norms == 0).all()
    assert flow.verdict == "vanishing: no gradient reaches any state"


@pytest.mark.parametrize(
    ("w_h", "verdict"),
    [
        (0.1, "vanishing: the gradient halves every 0.3 steps"),
        (0.8, "vanishing: the gradient halves every 3.1 steps"),
        (1.0, "steady: the gradient changes less than twofold over 10 steps"),
        (1.25, "exploding: the gradient doubles every 3.1 steps"),
        (10.0, "exploding: the gradient doubles every 0.3 steps"),
    ],
)
def test_the_growth_is_the_recurrent_weight_and_the_verdict_says_so(w_h, verdict):
    flow = gradient_flow(*scalar_net(w_h, 10))
    assert flow.growth == pytest.approx([w_h])
    assert flow.verdict == verdict


def test_one_step_is_too_short_for_a_verdict():
    flow = gradient_flow(*scalar_net(0.5, 1))
    assert np.isnan(flow.growth).all()
    assert flow.verdict == "unknown: two steps with a gradient are needed"


def flow_of(norms, direction=""):
    norms = np.asarray(norms, dtype=float)
    return GradientFlow((Layer("", 0, direction),), norms[:, None], np.zeros(1))


def test_sequences_of_unequal_length_share_one_growth():
    back = np.full((2, 10), np.nan)
    back[0], back[1, :4] = 5 * 0.5 ** np.arange(10)[::-1], 300 * 0.5 ** np.arange(4)[::-1]
    flow = flow_of(back)
    assert flow.growth == pytest.approx([0.5])
    assert flow.half_life == pytest.approx([1.0])
    assert flow.norms[0, 9] == back[0, 9]


def test_a_layer_that_reads_backwards_grows_backwards():
    falling = 0.5 ** np.arange(10)[None]
    assert flow_of(falling, "forward").growth == pytest.approx([2.0])
    assert flow_of(falling, "backward").growth == pytest.approx([0.5])


def test_steps_without_a_gradient_are_counted_and_not_fitted():
    flow = flow_of([[0, 0, 0, 0, 0, 0.25, 0.5, 1.0]])
    assert flow.growth == pytest.approx([0.5])
    assert flow.verdict == "vanishing: the gradient halves every step, and is 0 at 62% of the steps"


def test_a_gradient_that_is_not_finite_is_an_exploding_one():
    assert flow_of([[np.inf, 1e300, 1.0]]).verdict == "exploding: the gradient is no longer finite"


@pytest.fixture(scope="module")
def ragged():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in rng.integers(3, 12, size=40)], np.arange(40) % 3


@pytest.fixture(scope="module")
def classifier(ragged):
    settings = {"hidden_size": 6, "num_layers": 2, "bidirectional": True, "dropout": 0.5, "dtype": "float64"}
    return SequenceClassifier("lstm", max_epochs=1, random_state=0, **settings).fit(*ragged)


def test_there_is_a_row_for_each_layer_and_direction(classifier, ragged):
    flow = gradient_flow(classifier, *ragged)
    names = ["layer 0 forward", "layer 0 backward", "layer 1 forward", "layer 1 backward"]
    assert [str(layer) for layer in flow.layers] == names
    assert flow.norms.shape == (4, 11)
    assert flow.verdict == "; ".join(f"{name}: {verdict}" for name, verdict in zip(names, flow.verdicts))


def test_after_the_end_of_a_sequence_there_is_nothing(classifier, ragged):
    flow = gradient_flow(classifier, *ragged)
    lengths = np.array([len(x) for x in ragged[0]])
    after = np.arange(11) >= lengths[:, None]
    assert (np.isnan(flow.sample_norms) == after[:, None]).all()


def test_after_the_last_step_that_the_loss_reads_there_is_nothing(ragged):
    X, _ = ragged
    y = [x[:, 0] for x in X]
    model = StepRegressor(hidden_size=4, max_epochs=1, random_state=0, loss_on=lambda n: np.arange(n) < 2).fit(X, y)
    norms = gradient_flow(model, X, y).sample_norms[:, 0]
    assert (norms[:, :2] > 0).all()
    assert np.isnan(norms[:, 2:]).all()


def test_each_network_of_a_translator_is_named_and_measured_to_the_end_of_its_own_text():
    X = ["abc", "cab", "bbca", "a", "ab"] * 4
    y = [text[::-1] + text for text in X]
    model = SequenceTranslator(hidden_size=4, bidirectional=False, max_epochs=1, random_state=0).fit(X, y)
    flow = gradient_flow(model, X, y)
    assert [str(layer) for layer in flow.layers] == ["encoder layer 0", "decoder layer 0"]
    steps = (~np.isnan(flow.sample_norms)).sum(axis=2)
    assert steps.T.tolist() == [
        [len(text) for text in X],
        [len(text) + 1 for text in y],
    ]  # with the end-of-sequence token


def test_one_long_text_is_looked_at_in_parts_as_long_as_gradients_reach():
    text = "to be or not to be " * 20
    model = LanguageModel(hidden_size=4, max_epochs=1, tbptt=(30, 30), random_state=0).fit(text)
    norms = gradient_flow(model, text).sample_norms
    assert norms.shape == (-(-len(text) // 30), 1, 30)
    assert (~np.isnan(norms)).sum() == len(text)


def test_a_sequence_has_the_same_norms_alone_and_among_others(classifier, ragged):
    X, y = ragged
    together = gradient_flow(classifier, X, y).sample_norms
    for i in (0, 17, 39):
        alone = gradient_flow(classifier, X[i : i + 1], y[i : i + 1]).sample_norms[0]
        np.testing.assert_allclose(together[i, :, : len(X[i])], alone, rtol=1e-9)


def test_looking_changes_nothing(classifier, ragged):
    before, state = classifier.predict_proba(ragged[0]), torch.get_rng_state()
    gradients = [parameter.grad.clone() for parameter in classifier.net_.module_.parameters()]
    gradient_flow(classifier, *ragged)
    assert torch.equal(torch.get_rng_state(), state)
    for parameter, gradient in zip(classifier.net_.module_.parameters(), gradients):
        assert torch.equal(parameter.grad, gradient)
    np.testing.assert_array_equal(classifier.predict_proba(ragged[0]), before)


def test_few_samples_are_spread_over_all(classifier, ragged):
    X, y = ragged
    few = gradient_flow(classifier, X, y, max_samples=3).sample_norms
    chosen = gradient_flow(classifier, [X[i] for i in (0, 20, 39)], y[[0, 20, 39]]).sample_norms
    np.testing.assert_allclose(few, chosen, rtol=1e-9)
    assert len(gradient_flow(classifier, X, y, max_samples=None).sample_norms) == 40


def test_searches_pipelines_and_windows_are_looked_into(ragged):
    X, y = ragged
    small = SequenceClassifier(hidden_size=4, max_epochs=1, random_state=0)
    pipeline = make_pipeline(SequenceScaler(), small)
    search = GridSearchCV(pipeline, {"sequenceclassifier__cell": ["rnn"]}, cv=2).fit(X, y)
    assert gradient_flow(search, X, y).norms.shape == (1, 11)
    rows = np.random.default_rng(0).normal(size=(60, 2))
    inner = SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0)
    windowed = WindowedRegressor(inner, window=5).fit(rows, rows[:, 0])
    assert gradient_flow(windowed, rows, rows[:, 0]).sample_norms.shape == (60, 1, 5)


@pytest.mark.parametrize("difference", [False, True])
@pytest.mark.parametrize("strategy", ["direct", "recursive"])
def test_a_forecaster_is_looked_into_window_by_window_and_stays_as_it_is(difference, strategy):
    series = np.sin(np.arange(80) / 3)[:, None] * [1.0, 2.0]
    inner = SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0)
    model = Forecaster(inner, window=12, horizon=3, strategy=strategy, difference=difference).fit(series)
    before = model.predict(5)
    flow = gradient_flow(model, series[:40])
    n_windows = 40 - difference - 12 - (2 if strategy == "direct" else 0)
    assert flow.sample_norms.shape == (n_windows, 1, 12)
    np.testing.assert_array_equal(model.predict(5), before)


def test_what_cannot_be_looked_into_is_refused(classifier, ragged):
    X, y = ragged
    with pytest.raises(NotFittedError, match="not fitted yet"):
        gradient_flow(SequenceClassifier(), X, y)
    with pytest.raises(TypeError, match="LinearRegression holds no recurrent network: pass a fitted estimator"):
        gradient_flow(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), X, y)
    with pytest.raises(ValueError, match="The loss of SequenceClassifier needs targets: pass y as for fit"):
        gradient_flow(classifier, X)
    with pytest.raises(ValueError, match="'max_samples' parameter of gradient_flow must be an int >= 1, or None"):
        gradient_flow(classifier, X, y, max_samples=0)
    with pytest.raises(ValueError, match=r"labels that are not among the classes of the first fit: \[7\]"):
        gradient_flow(classifier, X[:1], [7])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        gradient_flow(classifier, X, y[:5])
