import torch
from conftest import BASE_NAME

from understudy_trainer.loading import load_base
from understudy_trainer.training.encode import IGNORED, Collator, encode_row

ROWS = [
    [{"role": "user", "content": "lost card"}, {"role": "assistant", "content": "card_lost"}],
    [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "help"},
        {"role": "assistant", "content": "with what"},
        {"role": "user", "content": "pin blocked"},
        {"role": "assistant", "content": "pin_blocked"},
    ],
]


def test_prompt_and_answer_are_the_chat_template_and_only_the_last_answer_is_learned(artifacts):
    _, tokenizer = load_base(str(artifacts / "bases" / BASE_NAME))
    for row in ROWS:
        example = encode_row(tokenizer, row)
        whole = tokenizer.apply_chat_template(row, tokenize=False)
        assert tokenizer.decode(example.prompt + example.answer) == whole
        assert tokenizer.decode(example.answer) == row[-1]["content"] + tokenizer.eos_token
    batch = Collator(tokenizer.pad_token_id)([encode_row(tokenizer, row) for row in ROWS])
    assert tokenizer.decode(batch["input_ids"][0], skip_special_tokens=True).strip() == "lost cardcard_lost"
    learned = [batch["labels"][n][batch["labels"][n] != IGNORED] for n in range(2)]
    assert [tokenizer.decode(ids) for ids in learned] == [row[-1]["content"] + tokenizer.eos_token for row in ROWS]


def test_the_loss_over_the_answers_columns_is_the_loss_over_all(artifacts, tmp_path):
    from transformers import TrainingArguments

    from understudy_trainer.training.answer_trainer import AnswerTrainer

    model, tokenizer = load_base(str(artifacts / "bases" / BASE_NAME))
    examples = [encode_row(tokenizer, row) for row in ROWS]
    batch = Collator(tokenizer.pad_token_id)(examples)
    args = TrainingArguments(output_dir=str(tmp_path), report_to="none", remove_unused_columns=False)
    loss = AnswerTrainer(model=model, args=args, train_dataset=examples).compute_loss(model, batch)
    total, count = 0.0, 0
    with torch.no_grad():
        for example in examples:  # one row at a time: no padding, no tricks
            logits = model(input_ids=torch.tensor([example.prompt + example.answer])).logits[0].log_softmax(-1)
            for place, token in enumerate(example.answer, start=len(example.prompt)):
                total -= logits[place - 1, token].item()
                count += 1
    assert abs(loss.item() - total / count) < 1e-4
